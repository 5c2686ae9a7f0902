# Cycles while the collector is off. truth: (garbage
import gc


class Element:
    def __init__(self):
        self.parent = None
        self.children = []  # <- line
        self.text = "x" * 500  # <- line


def build():
    parent = Element()  # <- line
    child = Element()  # <- line
    parent.children.append(child)
    child.parent = parent


gc.disable()
while True:
    build()
