# hog.py [MiB a step = 1] [MiB in all = endless] [seconds between steps = 0]: takes memory and touches it
import sys
import time

step = int(sys.argv[1]) if len(sys.argv) > 1 else 1
total = int(sys.argv[2]) if len(sys.argv) > 2 else 1 << 30
pause = float(sys.argv[3]) if len(sys.argv) > 3 else 0


def load():
    chunks = []
    held = 0
    while held < total:
        chunks.append(bytearray(b"\x5a" * (step << 20)))
        held += step
        if pause:
            time.sleep(pause)
    return chunks


kept = load()
print("holds", sum(map(len, kept)) >> 20, "MiB")
sys.stdout.flush()
time.sleep(float(sys.argv[4]) if len(sys.argv) > 4 else 0)
