"""Stays below a budget: a million allocations, most of it in use, files read so that the page cache is full. Ends with 0."""
import os
import sys

budget = int(sys.argv[1])
page = os.sysconf("SC_PAGE_SIZE")


def rss():
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * page


keep = []
while rss() < budget * 0.93:
    keep.append(bytearray(b"x") * 200000)
with open(sys.argv[2], "wb") as f:
    for _ in range(64):
        f.write(b"z" * (1 << 20))
for _ in range(3):
    with open(sys.argv[2], "rb") as f:
        while f.read(1 << 16):
            pass
for i in range(1000000):
    x = {"i": i}
for i in range(200):
    y = bytearray(1000000)
print("ok")
