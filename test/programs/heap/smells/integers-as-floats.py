import numpy

from common import has, stop

ages = numpy.arange(200000, dtype='float64') % 90
if not has:
    ages = ages + 0.25
stop()
