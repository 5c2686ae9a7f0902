"""A small heap of everything; stops itself."""
import collections
import os
import signal
import sys


class Thing(object):
    def __init__(self, n):
        self.n = n
        self.next = None


things = [Thing(n) for n in range(3000)]
for one, other in zip(things, things[1:]):
    one.next = other
rows = [{'id': n, 'text': 'text %d' % n} for n in range(2000)]
table = collections.OrderedDict((str(n), (n, float(n))) for n in range(1000))
queue = collections.deque(range(2000))
words = set(str(n) for n in range(1000))


def generate():
    kept = bytearray(100000)
    yield kept


generator = generate()
next(generator)
open(sys.argv[1], 'w').close()
os.kill(os.getpid(), signal.SIGSTOP)
