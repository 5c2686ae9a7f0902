"""
Keeps a list, a dict and a tuple in each round, and makes and drops one of each elsewhere: CPython hands the dropped ones
out again (its free lists), so by who asked the allocator the kept ones' heads belong to the temporaries' lines.
"""
import json
import os
import signal
import sys

rounds = int(sys.argv[1])
kept = [None] * (3 * rounds)


def keep(i):
    kept[3 * i] = [i, i, i]  # list
    kept[3 * i + 1] = {"a": i, "b": i}  # dict
    kept[3 * i + 2] = tuple(kept[:3])  # tuple


def drop(i):
    a = [str(i)]  # dropped list
    b = {"x": str(i)}  # dropped dict
    c = tuple(a * 3)  # dropped tuple
    return len(a) + len(b) + len(c)


for i in range(rounds):
    keep(i)
    drop(i)
first = keep.__code__.co_firstlineno
print(json.dumps({kind.__name__: {"line": first + at, "bytes": sum(sys.getsizeof(one) for one in kept if type(one) is kind)} for at, kind in enumerate((list, dict, tuple), 1)}))
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
