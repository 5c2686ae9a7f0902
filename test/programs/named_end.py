"""Holds records until it ends in the way that is asked for: by growth that a busy machine can follow, or by a crash where nobody looked at what malloc() said."""
import ctypes
import sys
import time


def load(most):
    records = []
    while len(records) < most:
        records.append({"id": len(records), "name": "row %d" % len(records)})  # grows
        if len(records) % 2000 == 0:
            time.sleep(0.004)
    return records


def crash():
    rows = load(60000)
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    block = libc.malloc(1 << 46)  # refused
    ctypes.memset(block, 0, len(rows))


crash() if sys.argv[1:] == ["crash"] else load(1000000000)
