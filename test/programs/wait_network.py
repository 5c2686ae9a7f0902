# wait_network.py SECONDS: waits for a peer that says nothing
import socket
import sys

ours, theirs = socket.socketpair()
ours.settimeout(float(sys.argv[1]))
try:
    ours.recv(1)
except socket.timeout:
    pass
