# cachetools: a cache with a bound that is never reached. truth: prices.cache, self.cache | needs: cachetools | venv: run
from cachetools import TTLCache


class Prices:
    def __init__(self):
        self.cache = TTLCache(maxsize=10_000_000, ttl=3_600)

    def of(self, number):
        self.cache[number] = {"price": number * 1.5, "name": f"article {number}"}  # <- line


prices = Prices()
number = 0
while True:
    prices.of(number)
    number += 1
