# read_once.py FILE: reads a file larger than the cgroup's limit once: reclaimed, not killed
import os
import sys

fd = os.open(sys.argv[1], os.O_RDONLY)
os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
while os.read(fd, 1 << 20):
    pass
print("read")
