# terminal.py KEYS COMMAND...: runs the command in a terminal of its own and types KEYS, a JSON list of [seconds, text]; HANGUP closes the
# terminal, CONTINUE is what a shell's fg does. Prints the wait status and the screen as JSON.
import json
import os
import pty
import select
import signal
import sys
import time

keys = json.loads(sys.argv[1])
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[2], sys.argv[2:])
screen = b""


def read(seconds):
    global screen
    until = time.time() + seconds
    while time.time() < until:
        ready, _, _ = select.select([fd], [], [], max(0, until - time.time()))
        if ready:
            try:
                data = os.read(fd, 65536)
            except OSError:
                return
            if not data:
                return
            screen += data


until = time.time() + 20
while b"ready" not in screen and time.time() < until:
    read(0.1)
closed = False
for seconds, text in keys:
    read(seconds)
    if text == "HANGUP":
        os.close(fd)
        closed = True
    elif text == "CONTINUE":
        os.killpg(os.tcgetpgrp(fd), signal.SIGCONT)
    else:
        os.write(fd, text.encode())
until = time.time() + 30
status = None
while status is None and time.time() < until:
    if not closed:
        read(0.1)
    else:
        time.sleep(0.1)
    done, value = os.waitpid(pid, os.WNOHANG)
    if done:
        status = value
if status is None:
    os.kill(pid, signal.SIGKILL)
    status = -1
print()
print(json.dumps({"status": status, "screen": screen.decode("utf8", "replace")}))
