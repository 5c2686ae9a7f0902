# joblib: what its threads give back. truth: results | needs: joblib | venv: data
import numpy as np
from joblib import Parallel, delayed


def work(number):
    return np.full(50_000, number, dtype=np.float64)  # <- line


def main():
    results = []
    number = 0
    while True:
        results += Parallel(n_jobs=2, prefer="threads")(delayed(work)(number + i) for i in range(20))
        number += 20


main()
