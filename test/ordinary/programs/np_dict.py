# A dict of arrays by name. truth: features | needs: numpy
import numpy as np


def main():
    features = {}
    n = 0
    while True:
        features[f"column {n}"] = np.full(20_000, n, dtype=np.float32)  # <- line
        n += 1


main()
