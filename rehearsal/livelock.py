"""
A slow death without a cgroup: CPython 3.11 to 3.13 at a limit of address space. When not even an int can be had, an exception that leaves a
`with` far down a long function is unwound for ever: the interpreter needs an int to say where it was.
"""

padding = "    a = b; b = c; c = a\n" * 120
source = (
    "def fill(kept):\n"
    "    n = 0\n"
    "    a = b = c = 1\n" + padding + "    with open('/dev/null'):\n"
    "        while True:\n"
    "            kept[n] = n + 1000\n"
    "            n += 1\n"
)
exec(compile(source, __file__, "exec"))
fill([None] * 12_000_000)
