# lru_cache(None) on a function with endless arguments. truth: lookup
import functools


@functools.lru_cache(maxsize=None)
def lookup(user, page):
    return [user, page, f"{user}/{page}", "x" * 300]  # <- line


def main():
    user = 0
    while True:
        for page in range(10):
            lookup(user, page)  # <- line
        user += 1


main()
