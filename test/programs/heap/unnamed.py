"""Values that live on an evaluation stack or in C code only: unnamed.py FILE comprehension|json|sorted|argument."""
import json
import os
import signal
import sys

how = sys.argv[2]
count = 40000


def stop():
    open(sys.argv[1], 'w').close()
    os.kill(os.getpid(), signal.SIGSTOP)


def make(n):
    if n == count - 1:
        stop()
    return 'value number %d' % n


def comprehension():
    return [make(n) for n in range(count)]


def hook(pairs):
    if pairs[0][1] == count - 1:
        stop()
    return tuple(pairs)


def parse():
    return json.loads(json.dumps([{'n': n + 1000000 if n < count - 1 else n, 't': 'text %d' % n} for n in range(count)]),
                      object_pairs_hook=hook)


calls = 0


def key(text):
    global calls
    calls += 1
    if calls == count - 1:
        stop()
    return text


def ordered():
    return sorted(('text %d' % n for n in range(count)), key=key)


def use(a, b):
    return stop()


def argument():
    return len([['row %d' % n] for n in range(count)] + [use(1, 2)])


{'comprehension': comprehension, 'json': parse, 'sorted': ordered, 'argument': argument}[how]()
