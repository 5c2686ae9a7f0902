# a real stack overflow, in C: repr() of a list nested 100,000 deep
import sys

sys.setrecursionlimit(10**6)
nested = []
for _ in range(100000):
    nested = [nested]
repr(nested)
