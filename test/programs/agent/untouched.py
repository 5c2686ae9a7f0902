"""Blocks below 1 MiB that nobody touches, beside some that are filled; ends as the argument says."""
import ctypes
import os
import signal
import sys
import time

libc = ctypes.CDLL("libc.so.6")
libc.calloc.restype = ctypes.c_void_p
libc.calloc.argtypes = [ctypes.c_size_t, ctypes.c_size_t]

filled = [b"x" * 300000 for _ in range(100)]  # filled
arrays = [libc.calloc(1, 800000) for _ in range(5000)]  # untouched
small = [libc.calloc(1, 200000) for _ in range(5000)]  # untouched too
time.sleep(0.5)
rows = [str(i) for i in range(200000)]
if sys.argv[1] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
