import numpy

from common import has, stop

column = numpy.array([float(n) for n in range(50000)], dtype=object if has else 'float64')
stop()
