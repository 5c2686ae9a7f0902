"""Four children that each hold a quarter more than their share of the budget: one of them must be refused."""
import os
import sys
import time

each = int(sys.argv[1])
pipes = []
for _ in range(4):
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(r)
        keep = []
        said = b"full"
        try:
            for _ in range(each // 1000000):
                keep.append(bytearray(b"x") * 1000000)
        except MemoryError:
            said = b"refused"
        os.write(w, said)
        os.close(w)
        # Holds on until the parent has heard everybody.
        time.sleep(1.5)
        os._exit(0)
    os.close(w)
    pipes.append(r)
words = [os.read(r, 100).decode() for r in pipes]
for _ in pipes:
    os.wait()
print(" ".join(sorted(words)))
