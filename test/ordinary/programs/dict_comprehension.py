# A dict that is built by one expression. truth: index
import itertools


def main():
    index = {f"key-{n}": [n, n + 1] for n in itertools.count()}  # <- line
    print(len(index))


main()
