# Syntax trees of a code base. truth: trees
import ast


def main():
    source = "def f(a, b):\n    return a * b + len([x for x in range(a)])\n" * 40
    trees = {}
    n = 0
    while True:
        trees[f"module_{n}"] = ast.parse(source)  # <- line
        n += 1


main()
