"""A heap of a few thousand objects of every kind, as small as it can be; stops itself."""
import gc
import posix
import sys
from _collections import OrderedDict, deque
from _signal import SIGSTOP


class Thing(object):
    def __init__(self, n):
        self.n = n
        self.next = None


class Slotted(object):
    __slots__ = ('one', 'two')


things = [Thing(n) for n in range(80)]
for one, other in zip(things, things[1:]):
    one.next = other
slotted = Slotted()
slotted.one = [slotted]
rows = [{'id': n, 'text': 'text %d' % n} for n in range(80)]
table = OrderedDict((str(n), (n, float(n))) for n in range(40))
queue = deque(range(150))
words = set(str(n) for n in range(50))
large = [bytearray(200000), b'x' * 100000, 'y' * 100000, list(range(600))]


def generate():
    kept = bytearray(100000)
    yield kept


def nested(depth, local):
    if depth == 0:
        open(sys.argv[1], 'w').close()
        posix.kill(posix.getpid(), SIGSTOP)
    return nested(depth - 1, [local])


# What the interpreter imported for itself is most of so small a heap.
for name in list(sys.modules):
    if name not in ('__main__', 'builtins', 'sys', 'gc', '_collections'):
        del sys.modules[name]
gc.collect()

generator = generate()
next(generator)
nested(20, 'local')
