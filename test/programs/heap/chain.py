"""A linked list that a global holds by its first node, and an object whose attribute is what holds; stops itself."""
import os
import signal
import sys


class Node(object):
    def __init__(self, text):
        self.next = None
        self.text = text


class Owner(object):
    pass


head = last = Node("first")
for number in range(20000):
    last.next = Node("text %d" % number * 8)
    last = last.next
del last
settings = Owner()
settings.cache = {number: "value %d" % number * 20 for number in range(5000)}
with open(sys.argv[1], "w") as file:
    file.write("ready")
os.kill(os.getpid(), signal.SIGSTOP)
