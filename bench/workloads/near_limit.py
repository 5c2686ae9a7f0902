"""Fills memory with small objects as fast as it can, until it is killed: near_limit.py KIND."""
import sys
from collections import defaultdict


def lists():
    index = defaultdict(list)
    n = 0
    while True:
        index[n // 4].append(n)
        n += 1


def groups():
    index = defaultdict(list)
    n = 0
    while True:
        index[n % 1000].append('value %d' % n)
        n += 1


def dicts():
    rows = []
    while True:
        rows.append({'id': len(rows), 'name': 'name %d' % len(rows)})


def strings():
    names = {}
    while True:
        names['key %d' % len(names)] = 'value %d' % len(names)


def classes():
    kinds = [type('Kind%d' % n, (), {}) for n in range(2000)]
    items = []
    while True:
        item = kinds[len(items) % len(kinds)]()
        item.number = len(items)
        items.append(item)


{'lists': lists, 'groups': groups, 'dicts': dicts, 'strings': strings, 'classes': classes}[sys.argv[1]]()
