import os
import signal

CACHE = {}


def fill(number):
    CACHE[number] = [str(i) * 20 for i in range(1000)]


for number in range(400):
    fill(number)
block = bytearray(b"x") * (8 << 20)
os.kill(os.getpid(), signal.SIGKILL)
