"""Writes every object that the process itself can see: address, type, sys.getsizeof. Then stops itself."""
import asyncio
import collections
import gc
import json
import os
import signal
import sys


class Plain(object):
    def __init__(self, n):
        self.n = n
        self.name = 'plain %d' % n


class Slotted(object):
    __slots__ = ('a', 'b')

    def __init__(self):
        self.a = 1.5
        self.b = bytearray(3000)


class Items(list):
    def __init__(self, *args):
        super(Items, self).__init__(*args)
        self.tag = 'x' * 1000


class Node(object):
    def __init__(self):
        self.me = self
        self.blob = bytes(5000)


gc.disable()
plain = [Plain(n) for n in range(2000)]
slotted = [Slotted() for _ in range(200)]
items = Items(range(100))
rows = [{'id': n, 'value': float(n), 'text': 'row %d' % n} for n in range(5000)]
pairs = collections.deque((n, -n) for n in range(3000))
words = set('word %d' % n for n in range(4000))
for _ in range(20):
    Node()


def fail(depth):
    if depth == 0:
        raise ValueError(depth)
    fail(depth - 1)


# An exception that is kept keeps the frames of its traceback.
errors = []
for _ in range(30):
    try:
        fail(20)
    except ValueError as error:
        errors.append(error)


def everything():
    seen = {}
    waiting = [sys.modules, sys._getframe().f_back]
    waiting.extend(gc.get_objects())
    kept = []
    while waiting:
        item = waiting.pop()
        if id(item) in seen or item is seen or item is waiting or item is kept:
            continue
        kind = type(item)
        try:
            size = sys.getsizeof(item)
        except Exception:
            size = -1
        seen[id(item)] = (kind.__name__, size)
        kept.append(item)
        waiting.extend(gc.get_referents(item))
    with open(sys.argv[1] + '.part', 'w') as file:
        for address in seen:
            file.write('%d\t%s\t%d\n' % ((address,) + seen[address]))
    os.rename(sys.argv[1] + '.part', sys.argv[1])
    os.kill(os.getpid(), signal.SIGSTOP)


everything()
