"""Named values from 100 bytes to a gigabyte; writes what each alone holds, as gc and sys.getsizeof count it, then stops itself."""
import array
import collections
import functools
import gc
import io
import json
import os
import signal
import sys
import threading
import time

try:
    import numpy
except ImportError:
    numpy = None
try:
    import pandas
except ImportError:
    pandas = None


def deep(value):
    """Bytes of a value built of fresh objects: everything below it but classes and what the interpreter shares."""
    seen = {}
    total = 0
    waiting = [value]
    while waiting:
        item = waiting.pop()
        if id(item) in seen or isinstance(item, (type, type(os), type(deep))) or item is None:
            continue
        if isinstance(item, int) and -6 < item < 257 or isinstance(item, str) and len(item) < 2:
            continue
        seen[id(item)] = item
        total += sys.getsizeof(item)
        if isinstance(item, io.BytesIO):
            continue  # sys.getsizeof counts its bytes object already
        waiting.extend(gc.get_referents(item))
        if isinstance(item, dict):
            waiting.extend(item)  # the collector passes over keys where all are str
        if numpy is not None and isinstance(item, numpy.ndarray):
            if item.dtype == object:
                waiting.extend(item.tolist())
            if item.base is not None:
                waiting.append(item.base)
    return total


class Session(object):
    __slots__ = ('user', 'payload')

    def __init__(self, n):
        self.user = 'user-%d' % n
        self.payload = bytearray(n % 700)


class Server(object):
    registry = {}

    def __init__(self):
        self.sessions = [Session(n) for n in range(30000)]
        self.history = collections.deque((n, 'entry %d' % n) for n in range(40000))
        self.seen = set('seen %d' % n for n in range(25000))


for n in range(15000):
    Server.registry['key %d' % n] = (n, float(n))
server = Server()
big_bytes = b'b' * 9000000
big_bytearray = bytearray(8000000)
wide_text = u'\xfc' * 7000000
numbers = [n * 12345678901 for n in range(150000)]
table = {'row %d' % n: [n, n + 0.5, 'cell %d' % n] for n in range(60000)}
ordered = collections.OrderedDict((n + 1000, 'value %d' % n) for n in range(50000))
grouped = collections.defaultdict(list)
for n in range(100000):
    grouped[n % 1000 + 1000].append(n + 0.25)
doubles = array.array('d', range(900000))
stream = io.BytesIO(b'q' * 5000000)
text_stream = io.StringIO(u'w' * 1000000)
frozen = frozenset(range(1000, 90000))
little = ['x' * 30, 'y' * 20]


@functools.lru_cache(maxsize=None)
def lookup(n):
    return 'cached %d' % n


for n in range(40000):
    lookup(n)


def make_closure():
    captured = ['captured %d' % n for n in range(30000)]

    def inner():
        return captured

    return inner


closure = make_closure()


def generate():
    kept = ['kept by a generator %d' % n for n in range(35000)]
    yield 1
    print(kept)


generator = generate()
next(generator)

if numpy is not None:
    matrix = numpy.ones((1000, 1500))
    view = matrix[10:20]
    virtual = numpy.zeros(2 ** 27)  # a gigabyte of untouched pages
    objects = numpy.array(['object %d' % n for n in range(40000)], dtype=object)
if pandas is not None:
    frame = pandas.DataFrame({'a': numpy.arange(300000), 'b': numpy.random.rand(300000)})


def truth():
    names = ['big_bytes', 'big_bytearray', 'wide_text', 'numbers', 'table', 'ordered', 'grouped', 'doubles', 'stream',
             'frozen', 'little', 'matrix', 'virtual', 'objects']
    found = {name: deep(globals()[name]) for name in names if name in globals()}
    for name in ('sessions', 'history', 'seen'):
        found['server.' + name] = deep(getattr(server, name))
    found['Server.registry'] = deep(Server.registry)
    found['captured'] = deep(closure())
    if pandas is not None:
        found['frame'] = 300000 * 16
    return found


def work(parameter):
    local_rows = [[parameter + str(n), n + 1000.5] for n in range(80000)]
    found = truth()
    found['local_rows'] = deep(local_rows)
    return [stop(found) for _ in range(1)], local_rows


def stop(found):
    with open(sys.argv[1] + '.part', 'w') as file:
        json.dump(found, file)
    os.rename(sys.argv[1] + '.part', sys.argv[1])
    os.kill(os.getpid(), signal.SIGSTOP)


work('p')
