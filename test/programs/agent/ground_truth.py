"""Allocates known amounts at known lines, says how much at which line as JSON, then ends as it is told."""
import ctypes
import json
import os
import signal
import sys
import threading

MIB = 1 << 20
expected = {}
keep = []


def here(tag, nbytes):
    expected[tag] = {"line": sys._getframe(1).f_lineno + 1, "bytes": nbytes}


def sized(objects):
    return sum(sys.getsizeof(o) for o in objects)


def one_block():
    here("block", 96 * MIB)
    keep.append(bytearray(96 * MIB))


def strings(n):
    out = [None] * n
    for i in range(n):
        out[i] = "%064d" % i  # strings
    expected["strings"] = {"line": sys._getframe().f_lineno - 1, "bytes": sized(out)}
    keep.append(out)


def make(i):
    return {"key": i}  # dicts


def dicts(n):
    out = [None] * n
    for i in range(n):
        out[i] = make(i)
    expected["dicts"] = {"line": make.__code__.co_firstlineno + 1, "bytes": sized(out)}
    keep.append(out)


def blocks(n, each):
    out = []
    for _ in range(n):
        out.append(b"x" * each)  # blocks
    expected["blocks"] = {"line": sys._getframe().f_lineno - 1, "bytes": n * each}
    keep.append(out)


def through_ctypes():
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    libc.malloc.argtypes = [ctypes.c_size_t]
    libc.memset.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t]
    here("ctypes", 32 * MIB)
    block = libc.malloc(32 * MIB)
    libc.memset(block, 1, 32 * MIB)


def in_thread(out):
    for _ in range(300):
        out.append(bytearray(100000))  # thread


def temporary():
    big = bytearray(40 * MIB)
    return len(big)


def main(how):
    temporary()
    one_block()
    strings(150000)
    dicts(100000)
    blocks(4000, 9000)
    through_ctypes()
    out = []
    thread = threading.Thread(target=in_thread, args=(out,))
    thread.start()
    thread.join()
    keep.append(out)
    expected["thread"] = {"line": in_thread.__code__.co_firstlineno + 2, "bytes": 300 * 100000}
    sys.stdout.write(json.dumps(expected) + "\n")
    sys.stdout.flush()
    if how == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "segfault":
        ctypes.memset(0, 1, 1)
    elif how == "abort":
        os.abort()
    elif how == "_exit":
        os._exit(3)


main(sys.argv[1] if len(sys.argv) > 1 else "exit")
