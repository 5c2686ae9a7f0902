# The groups of a groupby in a dict. truth: groups, seen | needs: pandas
import pandas as pd


def main():
    groups = {}
    day = 0
    while True:
        table = pd.DataFrame({"shop": [n % 50 for n in range(5000)], "sales": 1.0})
        for shop, part in table.groupby("shop"):
            groups[(day, shop)] = part.copy()  # <- line
        day += 1


main()
