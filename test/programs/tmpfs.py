# tmpfs.py FILE MiB: a small program whose file on tmpfs is what fills the cgroup
import sys

with open(sys.argv[1], "wb", buffering=0) as file:
    for _ in range(int(sys.argv[2])):
        file.write(b"x" * (1 << 20))
