"""A heap of 60 MiB of every kind, and an abort."""
import os
import threading
import time


class Row(object):
    def __init__(self, n):
        self.number = n
        self.label = 'label %d' % n


rows = [Row(n) for n in range(60000)]
tables = {n: {'name': 'name %d' % n, 'parts': (n, [n], {n})} for n in range(20000)}
buffers = [b'b' * 500000 for _ in range(30)] + [bytearray(b'b' * 5000000)]


def waiting():
    mine = ['mine %d' % n for n in range(10000)]
    time.sleep(60)
    return mine


def generate():
    inside = ['inside %d' % n for n in range(10000)]
    yield inside


def down(depth):
    if depth == 0:
        time.sleep(0.2)
        os.abort()
    return down(depth - 1)


threading.Thread(target=waiting, daemon=True).start()
suspended = generate()
next(suspended)
down(30)
