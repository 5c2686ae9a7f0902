# mmap with MAP_LOCKED beyond RLIMIT_MEMLOCK: EAGAIN, not ENOMEM; mlock: ENOMEM
import ctypes
import os

libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
area = libc.mmap(None, 32 << 20, 3, 0x22, -1, 0)
if libc.mlock(area, 32 << 20) != 0:
    number = ctypes.get_errno()
    raise OSError(number, "mlock of 32 MiB: " + os.strerror(number))
