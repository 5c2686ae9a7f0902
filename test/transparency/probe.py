"""What a Python can see of the world that it was started in."""

import os
import resource
import signal
import sys

documented = ("CORONER_RUN", "CORONER_AGENT_", "LD_PRELOAD", "PYTHONPATH", "_")
for name, value in sorted(os.environ.items()):
    if name != "_" and not name.startswith(documented[:-1]):
        print("variable", repr(name), repr(value))
print("arguments", sys.argv[1:])
print("stdio", [stream is not None and stream.fileno() for stream in (sys.stdin, sys.stdout, sys.stderr)])
print("interactive", [stream is not None and stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)])
for number in range(1, signal.NSIG):
    try:
        handler = signal.getsignal(number)
    except ValueError:
        continue
    if handler not in (signal.SIG_DFL, None):
        print("signal", number, handler == signal.SIG_IGN)
print("mask", sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])))
print("limits", [resource.getrlimit(which) for which in range(10)])
print("umask %o" % os.umask(0o22))
print("files", [fd for fd in range(200) if os.path.exists("/proc/self/fd/%d" % fd)])
print("inheritable", [fd for fd in range(200) if os.path.exists("/proc/self/fd/%d" % fd) and os.get_inheritable(fd)])
