# Dataclasses in a dict by id. truth: people
from dataclasses import dataclass, field


@dataclass
class Person:
    number: int
    name: str
    tags: list = field(default_factory=list)


def main():
    people = {}
    n = 0
    while True:
        people[n] = Person(n, f"person {n}", ["new", n])  # <- line
        n += 1


main()
