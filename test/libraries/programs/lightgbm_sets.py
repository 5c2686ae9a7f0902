# lightgbm: data sets that are kept. truth: sets | needs: lightgbm | venv: data | limit: 400
import lightgbm as lgb
import numpy as np


def main():
    rng = np.random.default_rng(1)
    data, target = rng.random((60_000, 20)), rng.random(60_000)
    sets = []
    while True:
        one = lgb.Dataset(data, target, params={"verbose": -1, "num_threads": 1}, free_raw_data=True)
        sets.append(one.construct())  # <- line


main()
