# defaultdict(list). truth: by_city
from collections import defaultdict


def main():
    by_city = defaultdict(list)
    n = 0
    while True:
        by_city[n % 5000].append((n, n * 2.5))  # <- line
        n += 1


main()
