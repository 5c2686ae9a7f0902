# pandas: columns of text. truth: tables | needs: pandas | venv: data
import pandas as pd


def main():
    tables = []
    number = 0
    while True:
        names = [f"customer {number + i} of the northern branch" for i in range(20_000)]
        tables.append(pd.DataFrame({"name": names, "number": range(20_000)}))  # <- line
        number += 20_000


main()
