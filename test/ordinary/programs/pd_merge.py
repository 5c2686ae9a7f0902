# A merge that multiplies rows. truth: merged, left, right | needs: pandas | line: any
import pandas as pd


def main():
    left = pd.DataFrame({"key": [1] * 20_000, "a": range(20_000)})
    right = pd.DataFrame({"key": [1] * 20_000, "b": range(20_000)})
    merged = left.merge(right, on="key")  # <- line
    print(len(merged))


main()
