"""Reserves much, touches little, waits until that shows, and is killed."""
import ctypes
import mmap
import os
import signal
import time

MIB = 1 << 20
libc = ctypes.CDLL("libc.so.6")
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]

untouched = mmap.mmap(-1, 512 * MIB)  # untouched
half = mmap.mmap(-1, 64 * MIB)  # half
half[: 32 * MIB] = b"x" * (32 * MIB)
never = libc.malloc(256 * MIB)  # never
cut = mmap.mmap(-1, 48 * MIB)  # cut
cut[:] = b"x" * (48 * MIB)
cut.close()
time.sleep(1.3)
keep = [str(i) for i in range(100000)]
time.sleep(0.3)
keep += [str(i) for i in range(100000)]
os.kill(os.getpid(), signal.SIGKILL)
