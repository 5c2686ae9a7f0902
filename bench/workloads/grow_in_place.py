"""Grows one block in a function, by little: KIND [STEPS [TIMES]]. Without STEPS until something ends it; else it prints its seconds, wall and CPU."""

import array
import io
import sys
import time


def string(steps):
    kept = ""
    for _ in steps:
        kept += "0123"


def byte_string(steps):
    kept = bytearray()
    for _ in steps:
        kept += b"0123"


def numbers(steps):
    kept = array.array("q")
    for i in steps:
        kept.append(i)


def rows(steps):
    kept = []
    for _ in steps:
        kept.append(None)


def stream(steps):
    kept = io.BytesIO()
    for _ in steps:
        kept.write(b"0123")


def forever():
    while True:
        yield from range(65536)


kinds = {"str": string, "bytearray": byte_string, "array": numbers, "list": rows, "BytesIO": stream}
steps = range(int(sys.argv[2])) if len(sys.argv) > 2 else forever()
begun, begun_cpu = time.perf_counter(), time.process_time()
for _ in range(int(sys.argv[3]) if len(sys.argv) > 3 else 1):
    kinds[sys.argv[1]](steps)
print(time.perf_counter() - begun, time.process_time() - begun_cpu)
