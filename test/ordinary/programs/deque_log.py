# A deque without maxlen. truth: recent
from collections import deque


def main():
    recent = deque()
    n = 0
    while True:
        recent.append((n, f"GET /items/{n}", 200, n % 977))  # <- line
        n += 1


main()
