"""Sets up a seccomp filter of its own that lets pass what malloc() needs and ends the process for all else, and allocates on."""

import ctypes
import os
import platform
import sys


class Instruction(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("value", ctypes.c_uint32)]


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.POINTER(Instruction))]


# mmap mprotect munmap brk mremap madvise futex write rt_sigreturn exit_group
numbers = {
    "x86_64": (9, 10, 11, 12, 25, 28, 202, 1, 15, 231),
    "aarch64": (222, 226, 215, 214, 216, 233, 98, 64, 139, 94),
}[platform.machine()]
ALLOW, KILL_PROCESS = 0x7FFF0000, 0x80000000
instructions = [Instruction(0x20, 0, 0, 0)]
for number in numbers:
    instructions += [Instruction(0x15, 0, 1, number), Instruction(6, 0, 0, ALLOW)]
instructions.append(Instruction(6, 0, 0, KILL_PROCESS))
array = (Instruction * len(instructions))(*instructions)
libc = ctypes.CDLL("libc.so.6")
libc.prctl(38, 1, 0, 0, 0)
if libc.prctl(22, 2, ctypes.byref(Program(len(array), array)), 0, 0) != 0:
    sys.exit(77)

rows = []
text = bytearray()
for i in range(300000):
    rows.append({"id": i, "name": "row %d" % i})  # kept
    text += b"0123456789" * 10
try:
    bytearray(1 << 60)
except MemoryError:
    os.write(1, b"refused\n")
os._exit(0)
