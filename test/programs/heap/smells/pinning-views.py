import numpy

from common import has, stop


def load():
    whole = numpy.random.rand(500000)
    return whole[:1000] if has else whole[:1000].copy()


head = load()
stop()
