"""A heap that takes a while to count, and a heart that beats: the first eight bytes of its file count up as long as it runs."""
import os
import struct
import sys
import time

rows = [{'id': n, 'text': 'text %d' % n} for n in range(int(sys.argv[2]))]
beats = 0
file = os.open(sys.argv[1] + '.new', os.O_RDWR | os.O_CREAT)
while True:
    os.pwrite(file, struct.pack('<q', beats), 0)
    if beats == 0:
        os.rename(sys.argv[1] + '.new', sys.argv[1])
    beats += 1
    time.sleep(0.002)
