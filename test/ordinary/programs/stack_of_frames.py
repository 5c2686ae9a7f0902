# A recursion that carries its lists along. truth: here, path
import sys

sys.setrecursionlimit(1_000_000)


def walk(depth, path):
    here = path + [depth]  # <- line
    if depth < 20000:
        walk(depth + 1, here)


import threading

threading.stack_size(512 * 1024 * 1024)
thread = threading.Thread(target=walk, args=(0, []))
thread.start()
thread.join()
