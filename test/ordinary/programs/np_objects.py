# An array of objects. truth: cells | needs: numpy
import numpy as np


def main():
    cells = np.empty(5_000_000, dtype=object)
    n = 0
    while True:
        cells[n] = [n, str(n)]  # <- line
        n += 1


main()
