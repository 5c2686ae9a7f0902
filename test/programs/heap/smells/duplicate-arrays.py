import numpy

from common import has, stop

first = numpy.random.rand(100000)
second = first.copy() if has else numpy.random.rand(100000)
stop()
