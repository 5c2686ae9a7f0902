"""Threads that wait, a sub-interpreter where there are any, and one that computes until it stops the process."""
import os
import signal
import sys
import threading
import time


def wait():
    time.sleep(600)


for _ in range(2):
    waiting = threading.Thread(target=wait)
    waiting.daemon = True
    waiting.start()
try:
    import _xxsubinterpreters as interpreters
except ImportError:
    try:
        import _interpreters as interpreters
    except ImportError:
        interpreters = None
if interpreters is not None:
    one, two = interpreters.create(), interpreters.create()
    interpreters.destroy(one)
    asleep = threading.Thread(target=interpreters.run_string, args=(two, "import time; time.sleep(600)"))
    asleep.daemon = True
    asleep.start()
time.sleep(0.3)


def compute():
    with open(sys.argv[1], "w") as file:
        file.write(str(int(two) if interpreters is not None else 0))
    os.kill(os.getpid(), signal.SIGSTOP)


compute()
