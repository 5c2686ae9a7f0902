"""What only the collector's lists lead to: listed.py FILE, in which it writes the bytes of
its garbage and of what C code holds. Stops itself."""
import ctypes
import gc
import os
import signal
import sys

gc.disable()


class Cycle(object):
    __slots__ = ('me', 'rows')

    def __init__(self, n):
        self.me = self
        self.rows = [n, 'row number %d' % n]


def cycles(count):
    total = 0
    for n in range(count):
        cycle = Cycle(n)
        total += sum(sys.getsizeof(one) for one in [cycle, cycle.rows] + cycle.rows)
    return total


def held_by_c(count):
    held = [['text number %d' % n] for n in range(count)]
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(held))
    return sys.getsizeof(held) + sum(sys.getsizeof(one) + sys.getsizeof(one[0]) for one in held)


garbage = cycles(160000)
by_c = held_by_c(50000)
with open(sys.argv[1] + '.part', 'w') as file:
    file.write('%d %d' % (garbage, by_c))
os.rename(sys.argv[1] + '.part', sys.argv[1])
os.kill(os.getpid(), signal.SIGSTOP)
