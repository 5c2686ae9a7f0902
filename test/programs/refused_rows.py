"""Holds more and more records, of its own will up to so many; with an end by MemoryError where it is refused."""
import sys


def load(most):
    records = []
    while len(records) < most:
        records.append({"id": len(records), "name": "user %d" % len(records)})
    return len(records)


print(load(int(sys.argv[1])))
