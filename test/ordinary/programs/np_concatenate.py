# np.concatenate in a loop. truth: everything | needs: numpy
import numpy as np


def main():
    everything = np.empty(0)
    while True:
        everything = np.concatenate([everything, np.random.random(200_000)])  # <- line


main()
