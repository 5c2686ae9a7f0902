"""
Grows until it is killed: grow.py HOW MEGABYTES_A_SECOND [SLOWLY_FROM_MEGABYTES].
From there on it grows by a twentieth of the rate, until coroner has found who holds the memory: an emulated machine takes seconds for it.
"""
import glob
import json
import multiprocessing
import os
import sys
import threading
import time

how = sys.argv[1]
rate = float(sys.argv[2]) * 1e6
slowly_from = float(sys.argv[3]) * 1e6 if len(sys.argv) > 3 else None


def is_found():
    """Whether a snapshot accounts for a good part of it."""
    for name in glob.glob(os.environ['CORONER_RUN'] + '/looks/*.json'):
        with open(name) as file:
            look = json.load(file)
        held = sum(holder['retainedBytes'] for holder in look['picture'].get('holders', []))
        if held > 0.45 * slowly_from:
            return True
    return False


def paced(size, work):
    """Calls work so often that `size` bytes a call make the rate."""
    begun = time.monotonic()
    done = 0
    while True:
        work()
        done += size
        if slowly_from is not None and done > slowly_from and not is_found():
            time.sleep(19 * size / rate)
            begun += 19 * size / rate
        ahead = done / rate - (time.monotonic() - begun)
        if ahead > 0:
            time.sleep(ahead)


def small_objects():
    rows = []

    def more():
        rows.extend([{'id': n, 'name': 'name %d' % n} for n in range(3000)])

    paced(3000 * 270, more)


def arrays():
    import numpy
    chunks = []
    paced(8e6, lambda: chunks.append(numpy.ones(1000000)))


def buffers():
    blocks = []
    paced(4e6, lambda: blocks.append(bytearray(b'x') * 4000000))


if how == 'thread':
    thread = threading.Thread(target=buffers, name='loader')
    thread.start()
    thread.join()
elif how == 'worker':
    process = multiprocessing.Process(target=small_objects)
    process.start()
    process.join()
else:
    {'small': small_objects, 'arrays': arrays, 'buffers': buffers}[how]()
