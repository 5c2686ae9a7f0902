# Frames in a list. truth: frames | needs: pandas
import pandas as pd


def main():
    frames = []
    while True:
        frames.append(pd.DataFrame({"a": range(20_000), "b": 2.0}))  # <- line


main()
