# attrs: objects that are kept. truth: points | needs: attr | venv: run
import attr


@attr.s(auto_attribs=True)
class Point:
    x: float
    y: float
    label: str


def main():
    points = []
    number = 0
    while True:
        points.append(Point(number * 0.5, number * 0.25, f"point {number}"))  # <- line
        number += 1


main()
