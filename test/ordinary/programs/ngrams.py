# A Counter of n-grams. truth: counts
import random
from collections import Counter


def main():
    counts = Counter()
    n = 0
    while True:
        words = [f"w{random.randrange(20000)}" for _ in range(50)]
        counts.update(tuple(words[i : i + 3]) for i in range(48))  # <- line
        n += 1


main()
