# xarray: one data set a day. truth: days | needs: xarray | venv: data
import numpy as np
import xarray as xr


def main():
    grid = np.random.default_rng(1).random((300, 400))
    days = {}
    day = 0
    while True:
        days[day] = xr.Dataset({"wind": (("x", "y"), grid)}) * day  # <- line
        day += 1


main()
