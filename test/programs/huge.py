# huge.py [BYTES]: one request that nobody could ever fulfil
import sys


def load(size):
    return bytearray(size)


load(int(sys.argv[1]) if len(sys.argv) > 1 else 10**18)
