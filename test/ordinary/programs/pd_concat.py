# pd.concat in a loop. truth: table | needs: pandas
import pandas as pd


def main():
    table = pd.DataFrame()
    n = 0
    while True:
        batch = pd.DataFrame({"id": range(n, n + 50_000), "value": 1.5})
        table = pd.concat([table, batch])  # <- line
        n += 50_000


main()
