# touch.py MiB SECONDS: touches MiB once, then writes to random pages of it; prints how many a second
import random
import sys
import time

size = int(sys.argv[1]) << 20
seconds = float(sys.argv[2])
data = bytearray(size)
pages = size >> 12
started = time.time()
for page in range(pages):
    data[page << 12] = 1
print("first touch of %d MiB: %.2f s" % (size >> 20, time.time() - started), flush=True)
pick = random.Random(1).randrange
started = time.time()
touches = 0
while time.time() - started < seconds:
    for _ in range(20):
        data[pick(pages) << 12] = 2
    touches += 20
print("%.0f touches/s" % (touches / (time.time() - started)))
