# pydantic: models that are kept. truth: events | needs: pydantic | venv: web
from pydantic import BaseModel


class Event(BaseModel):
    user: int
    kind: str
    details: dict[str, str]


def main():
    events = []
    number = 0
    while True:
        events.append(Event(user=number, kind=f"kind {number % 7}", details={"place": f"place {number}", "page": "x" * 40}))  # <- line
        number += 1


main()
