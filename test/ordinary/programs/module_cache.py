# A dict at module level that nobody empties. truth: CACHE
import hashlib

CACHE = {}


def digest(key):
    if key not in CACHE:
        CACHE[key] = hashlib.sha256(key.encode()).hexdigest() * 4  # <- line
    return CACHE[key]


def serve():
    n = 0
    while True:
        digest(f"request-{n}")  # <- line
        n += 1


serve()
