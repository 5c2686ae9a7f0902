"""Holds records until it ends in the way that is asked for: by growth, or by a crash where nobody looked at what malloc() said."""
import ctypes
import sys


def load(most):
    records = []
    while len(records) < most:
        records.append({"id": len(records), "name": "row %d" % len(records)})  # grows
    return records


def crash():
    rows = load(60_000)
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    block = libc.malloc(1 << 46)  # refused
    ctypes.memset(block, 0, len(rows))


crash() if sys.argv[1:] == ["crash"] else load(1_000_000_000)
