"""A heap of a few thousand objects of every kind; stops itself."""
import os
import signal
import sys
from _collections import OrderedDict, deque


class Thing(object):
    def __init__(self, n):
        self.n = n
        self.next = None


class Slotted(object):
    __slots__ = ('one', 'two')


things = [Thing(n) for n in range(300)]
for one, other in zip(things, things[1:]):
    one.next = other
slotted = Slotted()
slotted.one = [slotted]
rows = [{'id': n, 'text': 'text %d' % n} for n in range(300)]
table = OrderedDict((str(n), (n, float(n))) for n in range(100))
queue = deque(range(300))
words = set(str(n) for n in range(200))
large = [bytearray(2000000), b'x' * 100000, 'y' * 100000, list(range(3000))]


def generate():
    kept = bytearray(100000)
    yield kept


def nested(depth, local):
    if depth == 0:
        open(sys.argv[1], 'w').close()
        os.kill(os.getpid(), signal.SIGSTOP)
    return nested(depth - 1, [local])


generator = generate()
next(generator)
nested(20, 'local')
