"""Stops the process where a test wants to look: `stop()`. The second argument says which of the two programs to be."""
import os
import signal
import sys

has = sys.argv[2] == 'has'


def stop():
    open(sys.argv[1], 'w').close()
    os.kill(os.getpid(), signal.SIGSTOP)
