# scipy.sparse: products of sparse matrices. truth: products | needs: scipy | venv: data
from scipy import sparse


def main():
    matrix = sparse.random(3_000, 3_000, density=0.003, format="csr", random_state=1)
    products = []
    while True:
        products.append(matrix @ matrix)  # <- line


main()
