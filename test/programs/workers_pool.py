# multiprocessing.Pool.map hangs for ever when a worker is killed; ends itself after SECONDS
import multiprocessing
import os
import sys
import time


def eat(i):
    if i == 2:
        kept = []
        while True:
            kept.append(bytearray(b"x" * (1 << 20)))
    time.sleep(0.1)
    return i


if __name__ == "__main__":
    with multiprocessing.Pool(2) as pool:
        result = pool.map_async(eat, range(6), chunksize=1)
        try:
            print(result.get(float(sys.argv[1])))
        except multiprocessing.TimeoutError:
            print("gave up waiting")
            pool.terminate()
