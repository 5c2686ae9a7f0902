# A comprehension that never ends. truth: squares
import itertools


def main():
    squares = [{"n": n, "square": n * n} for n in itertools.count()]  # <- line
    print(len(squares))


main()
