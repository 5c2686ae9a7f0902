# A producer that is faster than its consumer. truth: jobs
import queue
import threading
import time

jobs = queue.Queue()


def consume():
    while True:
        jobs.get()
        time.sleep(0.01)


def produce():
    n = 0
    while True:
        jobs.put({"id": n, "body": "payload " * 40})  # <- line
        n += 1


threading.Thread(target=consume, daemon=True).start()
produce()
