"""A disguised death: malloc says no by giving NULL, nobody looks, and the write through it crashes."""

import ctypes

SIZE = 1_000_000_000_000

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]


def fill(size):
    memory = libc.malloc(size)
    ctypes.memset(memory or 0, 0x4F, 1)


fill(SIZE)
