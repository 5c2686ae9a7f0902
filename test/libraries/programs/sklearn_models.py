# scikit-learn: a model for each customer. truth: models.models, self.models | needs: sklearn | venv: data | limit: 400
import numpy as np
from sklearn.neighbors import KNeighborsRegressor


class Models:
    def __init__(self):
        self.models = {}

    def learn(self, customer, samples):
        self.models[customer] = KNeighborsRegressor().fit(samples.copy(), samples[:, 0])  # <- line


def main():
    samples = np.random.default_rng(1).random((20_000, 12))
    models = Models()
    customer = 0
    while True:
        models.learn(customer, samples)
        customer += 1


main()
