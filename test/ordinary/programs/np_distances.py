# Pairwise distances by broadcasting. truth: difference, points, distances, squares | needs: numpy | line: any
import numpy as np


def main():
    n = 500
    kept = None
    while True:
        points = np.random.random((n, 8))
        difference = points[:, None, :] - points[None, :, :]  # <- line
        distances = np.sqrt((difference**2).sum(axis=2))  # <- line
        n += 100


main()
