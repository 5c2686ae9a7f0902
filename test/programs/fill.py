# fill.py LIBRARY SIZE: calls fill() of a library of ours, which does not look at what malloc returned
import ctypes
import sys


def load(size):
    ctypes.CDLL(sys.argv[1]).fill(ctypes.c_size_t(size))


load(int(sys.argv[2]))
