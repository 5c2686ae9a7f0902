# Arrays in a list. truth: frames | needs: numpy
import numpy as np


def main():
    frames = []
    while True:
        frames.append(np.ones((64, 64)))  # <- line


main()
