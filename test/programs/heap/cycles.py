"""Drops objects that refer to each other, with the collector switched off, and keeps some others; stops itself."""
import gc
import os
import signal
import sys

gc.disable()


class Node(object):
    def __init__(self, text):
        self.text = text
        self.me = self


kept = [Node('kept %d' % n) for n in range(2000)]
for n in range(int(sys.argv[2])):
    Node('dropped %d ' % n * 8)
open(sys.argv[1], 'w').close()
os.kill(os.getpid(), signal.SIGSTOP)
