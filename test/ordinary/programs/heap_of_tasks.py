# A heapq that is filled only. truth: heap
import heapq
import random


def schedule():
    heap = []
    n = 0
    while True:
        heapq.heappush(heap, (random.random(), n, f"task {n}"))  # <- line
        n += 1


schedule()
