"""A training loop that logs its losses: each loss still carries the graph of its computation, and that every activation.

Without torch: a tensor of 60 lines that does what torch's autograd does to memory. Give it a limit and watch it die:

    coroner run systemd-run --user --scope -p MemoryMax=256M python3 examples/training_loop.py
"""
import array
import random
import time


class Tensor:
    """Values, and how they came about: for the backward pass."""

    def __init__(self, values, parents=(), operation=''):
        self.values = values
        self.parents = parents
        self.operation = operation

    def item(self):
        """The number alone, without its history."""
        return self.values[0]

    def __matmul__(self, weights):
        width = len(weights.values)
        values = array.array('d', [sum(self.values[:8]) * w for w in weights.values])
        return Tensor(values if width else self.values, (self, weights), 'matmul')

    def relu(self):
        return Tensor(array.array('d', [max(0.0, v) for v in self.values]), (self,), 'relu')

    def mean(self):
        return Tensor(array.array('d', [sum(self.values) / len(self.values)]), (self,), 'mean')


class Model:
    def __init__(self, layers, width):
        self.layers = [Tensor(array.array('d', [random.random() for _ in range(width)])) for _ in range(layers)]

    def forward(self, batch):
        activation = batch
        for weights in self.layers:
            activation = (activation @ weights).relu()
        return activation.mean()


def train(model, steps):
    losses = []
    for step in range(steps):
        batch = Tensor(array.array('d', [random.random() for _ in range(2000)]))
        loss = model.forward(batch)
        # The mistake: losses.append(loss.item()) would keep the number alone.
        losses.append(loss)
        time.sleep(0.001)
    return losses


if __name__ == '__main__':
    train(Model(layers=4, width=4000), steps=100_000)
