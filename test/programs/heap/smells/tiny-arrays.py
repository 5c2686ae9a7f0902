import numpy

from common import has, stop

vectors = [numpy.ones(3 if has else 3000) for _ in range(5000 if has else 1100)]
stop()
