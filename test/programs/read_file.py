# read_file.py direct|read|mmap FILE SECONDS: reads random pages of a file: waits for the disk, not for memory
import mmap
import os
import random
import sys
import time

mode, path, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
fd = os.open(path, os.O_RDONLY | (os.O_DIRECT if mode == "direct" else 0))
pages = os.fstat(fd).st_size >> 12
pick = random.Random(1).randrange
started = time.time()
reads = 0
if mode == "direct":
    buffer = mmap.mmap(-1, 4096)
    while time.time() - started < seconds:
        os.preadv(fd, [buffer], pick(pages) << 12)
        reads += 1
elif mode == "read":
    while time.time() - started < seconds:
        os.pread(fd, 4096, pick(pages) << 12)
        reads += 1
else:
    area = mmap.mmap(fd, pages << 12, prot=mmap.PROT_READ)
    area.madvise(mmap.MADV_RANDOM)
    total = 0
    while time.time() - started < seconds:
        total += area[pick(pages) << 12]
        reads += 1
print(mode, "%.0f reads/s" % (reads / (time.time() - started)))
