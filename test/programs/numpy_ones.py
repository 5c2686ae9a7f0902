import numpy


def load():
    return numpy.ones((1_000_000_000_000,))


load()
