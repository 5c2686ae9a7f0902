# pandas: one pivot table a day, none given up. truth: dashboard.reports, self.reports | needs: pandas | venv: data
import numpy as np
import pandas as pd


class Dashboard:
    def __init__(self):
        self.reports = {}

    def add(self, day, sales):
        self.reports[day] = sales.pivot_table(index="shop", columns="hour", values="amount", aggfunc="sum")  # <- line


def main():
    rng = np.random.default_rng(1)
    sales = pd.DataFrame(
        {
            "shop": np.repeat(np.arange(5_000), 24),
            "hour": np.tile(np.arange(24), 5_000),
            "amount": rng.random(120_000),
        }
    )
    dashboard = Dashboard()
    day = 0
    while True:
        dashboard.add(day, sales)
        day += 1


main()
