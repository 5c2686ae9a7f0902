# forks.py N: N sleeping children; BlockingIOError 11 where a limit on processes says no
import os
import sys
import time

for _ in range(int(sys.argv[1])):
    if os.fork() == 0:
        time.sleep(3)
        os._exit(0)
