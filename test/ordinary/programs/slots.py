# Objects with slots. truth: points
class Point:
    __slots__ = ("x", "y", "label")

    def __init__(self, x, y, label):
        self.x = x
        self.y = y
        self.label = label


def main():
    points = []
    n = 0
    while True:
        points.append(Point(n * 0.1, n * 0.2, f"p{n}"))  # <- line
        n += 1


main()
