# A pipeline of generators whose last step sorts everything. truth: ordered, rows | line: any
import random


def rows():
    while True:
        yield (random.random(), f"name {random.randrange(1000000)}")  # <- line


def main():
    ordered = sorted(row for row in rows())  # <- line
    print(ordered[0])


main()
