"""Grows in the way that is named until memory is refused; says at which line MemoryError came, and how much was held."""
import ctypes
import os
import sys
import traceback

kind = sys.argv[1]
stop = int(sys.argv[2]) if len(sys.argv) > 2 else 0
page = os.sysconf("SC_PAGE_SIZE")
keep = []
libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]


def rss():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * page


def enough(i):
    return stop and i % 64 == 0 and rss() >= stop


def grow():
    i = 0
    while not enough(i):
        i += 1
        if kind == "dicts":
            keep.append({"i": i, "name": "row-%d" % i})  # grow
        elif kind == "strings":
            keep.append("x" * 200 + str(i))  # grow
        elif kind == "bytearrays":
            keep.append(bytearray(b"x") * 100000)  # grow
        elif kind == "blocks":
            keep.append(bytearray(b"x") * 5000000)  # grow
        elif kind == "list":
            keep.append(i)  # grow
        elif kind == "text":
            keep[:] = ["".join(keep) + "y" * 1000000]  # grow
        elif kind == "numpy":
            import numpy

            keep.append(numpy.ones(100000))  # grow
        elif kind == "ctypes":
            block = libc.malloc(1 << 20)  # grow
            if not block:
                raise MemoryError("malloc gave NULL")  # grow
            libc.memset(block, 1, 1 << 20)


try:
    grow()
except MemoryError:
    here = [line for _, line, name, _ in traceback.extract_tb(sys.exc_info()[2]) if name == "grow"]
    held = rss()
    keep = None
    with open(__file__) as f:
        right = f.read().splitlines()[here[-1] - 1].endswith("# grow") if here else False
    print("MemoryError %s %d" % ("right" if right else "line %s" % here, held >> 20))
    sys.exit(3)
print("enough %d" % (rss() >> 20))
