# malloc says NULL, nobody looks, memset writes there: the disguised death from Python
import ctypes


def fill(size):
    libc = ctypes.CDLL("libc.so.6")
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    data = libc.malloc(size)
    ctypes.memset(data, 0, 100)


fill(1_000_000_000_000)
