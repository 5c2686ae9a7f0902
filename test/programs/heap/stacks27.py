"""Two threads of a Python 2.7 that stops itself."""
import os
import signal
import sys
import threading
import time


def waiter(event):
    event.wait()


def stop():
    open(sys.argv[1], 'w').close()
    os.kill(os.getpid(), signal.SIGSTOP)
    time.sleep(1000)


def inner():
    stop()


def outer():
    inner()


event = threading.Event()
thread = threading.Thread(target=waiter, args=(event,))
thread.daemon = True
thread.start()
time.sleep(0.3)
outer()
