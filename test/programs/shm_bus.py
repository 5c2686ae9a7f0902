# shm_bus.py FILE: a sparse file on a small tmpfs, mapped and written: SIGBUS where no page is left, not the host's memory
import mmap
import os
import sys

fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 64 << 20)
area = mmap.mmap(fd, 64 << 20)
for at in range(0, 64 << 20, 4096):
    area[at] = 1
