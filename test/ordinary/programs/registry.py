# Every object registers itself and none is removed. truth: REGISTRY
REGISTRY = []


class Widget:
    def __init__(self, name):
        self.name = name
        self.children = [name] * 10  # <- line
        REGISTRY.append(self)  # <- line


def main():
    n = 0
    while True:
        Widget(f"widget-{n}")  # <- line
        n += 1


main()
