"""Memory of a native thread: `background` while Python is at other lines, `inside` while it waits in the library's call."""
import ctypes
import json
import os
import signal
import sys

library, how = sys.argv[1:3]
work = ctypes.CDLL(library)
work.work_inside.restype = ctypes.c_void_p
if how == "background":
    work.start_in_background()
    settings = [bytes(3000) for _ in range(2000)]
    work.wait_for_it()
    line = 0
else:
    work.work_inside()
    line = 17
print(json.dumps({"line": line}))
sys.stdout.flush()
os.kill(os.getpid(), signal.SIGKILL)
