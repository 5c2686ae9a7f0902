# scipy.sparse: a sparse matrix made dense. truth: rows, dense | needs: scipy | venv: data
import numpy as np
from scipy import sparse


def main():
    matrix = sparse.random(4_000, 2_000, density=0.001, format="csr", random_state=1)
    rows = []
    while True:
        dense = matrix.toarray()  # <- line
        rows.append(dense[:500] + 1)  # <- line
        del dense


main()
