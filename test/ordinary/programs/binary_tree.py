# A search tree of nodes. truth: root
import random


class Node:
    __slots__ = ("key", "left", "right", "payload")

    def __init__(self, key):
        self.key = key
        self.left = None
        self.right = None
        self.payload = str(key) * 10  # <- line


def insert(root, key):
    at = root
    while True:
        side = "left" if key < at.key else "right"
        below = getattr(at, side)
        if below is None:
            setattr(at, side, Node(key))  # <- line
            return
        at = below


def main():
    root = Node(0.5)
    while True:
        insert(root, random.random())  # <- line


main()
