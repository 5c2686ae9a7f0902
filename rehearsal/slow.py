"""
A slow death: more is touched, at random and again and again, than the limit holds.
With swap the memory itself (argument `swap`), without it the pages of a file (argument: its name).
"""

import mmap
import random
import sys
import time

SECONDS = 12
MIB = 200


def open_data(where):
    if where == "swap":
        data = bytearray(MIB << 20)
        for offset in range(0, len(data), 4096):
            data[offset] = 1
        return data
    with open(where, "r+b") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def look_up(data, seconds):
    pages = len(data) >> 12
    end = time.time() + seconds
    looked = total = 0
    while time.time() < end:
        for _ in range(50):
            total += data[random.randrange(pages) << 12]
            looked += 1
    return looked


looked = look_up(open_data(sys.argv[1]), SECONDS)
print("%d look-ups a second" % (looked / SECONDS))
