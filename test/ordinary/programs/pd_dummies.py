# get_dummies of a column with too many values. truth: wide, table | needs: pandas | line: any
import pandas as pd


def main():
    table = pd.DataFrame({"user": [f"user {n}" for n in range(40_000)]})
    wide = pd.get_dummies(table["user"])  # <- line
    print(wide.shape)


main()
