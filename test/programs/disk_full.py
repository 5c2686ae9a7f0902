# disk_full.py FILE: writes until the file system is full: ENOSPC 28, not memory
import sys

with open(sys.argv[1], "wb", buffering=0) as file:
    while True:
        if file.write(b"x" * (1 << 20)) < 1 << 20:
            file.write(b"x")
