# numpy: every window of a signal as an array of its own. truth: windows | needs: numpy | venv: data
import numpy as np


def main():
    signal = np.sin(np.arange(200_000, dtype=np.float64))
    windows = []
    at = 0
    while True:
        windows.append(np.convolve(signal[at : at + 40_000], np.ones(5)))  # <- line
        at = (at + 7) % 100_000


main()
