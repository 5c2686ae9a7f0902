# apply() that makes a list a row. truth: lists, table, expanded | needs: pandas | line: any
import pandas as pd


def main():
    table = pd.DataFrame({"n": range(2_000_000)})
    lists = table["n"].apply(lambda n: [n, n + 1, str(n)])  # <- line
    print(len(lists))


main()
