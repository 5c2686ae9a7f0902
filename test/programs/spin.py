# spin.py SECONDS: computes
import sys
import time

started = time.time()
x = 0
while time.time() - started < float(sys.argv[1]):
    x += 1
