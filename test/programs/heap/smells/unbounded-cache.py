import functools

from common import has, stop


@functools.lru_cache(maxsize=None if has else 5000)
def describe(n):
    return 'description of %d' % n


for n in range(20000):
    describe(n)
stop()
