# Adjacency lists. truth: graph
from collections import defaultdict


def build():
    graph = defaultdict(set)
    n = 0
    while True:
        graph[n].add(n * 7 % 100003)  # <- line
        graph[n * 7 % 100003].add(n)  # <- line
        n += 1


build()
