"""Memory that was given back before the request that is refused, and what is held then; `caught` goes on after it."""
import resource
import sys

MIB = 1 << 20


def early():
    given_back = bytearray(b"x") * (200 * MIB)
    return len(given_back)


def late():
    kept = [bytes(MIB) for _ in range(100)]  # kept
    more = bytearray(b"x") * (350 * MIB)
    return kept, more


with open("/proc/self/statm") as file:
    now = int(file.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (now + 320 * MIB, resource.RLIM_INFINITY))
early()
if sys.argv[1] == "caught":
    try:
        late()
    except MemoryError:
        pass
else:
    late()
