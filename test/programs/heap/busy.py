"""Never the same twice: threads that make cycles, dicts, lists that are sorted, texts; the collector at work; threads that come and go."""
import gc
import json
import random
import sys
import threading
import time


class Node(object):
    pass


def cycles():
    while True:
        nodes = [Node() for _ in range(200)]
        for node in nodes:
            node.other = random.choice(nodes)
            node.data = bytearray(random.randrange(500))


def dicts():
    table = {}
    while True:
        for n in range(random.randrange(20000)):
            table[random.random()] = str(n)
        if len(table) > 60000:
            table.clear()


def texts():
    while True:
        rows = [{'n': n, 't': 'x' * (n % 50)} for n in range(2000)]
        json.loads(json.dumps(rows))


def sorts():
    while True:
        items = [random.random() for _ in range(30000)]
        items.sort()


def collect():
    while True:
        gc.collect()
        time.sleep(0.001)


def comers():
    while True:
        thread = threading.Thread(target=sum, args=(range(1000),))
        thread.start()
        thread.join()


for work in (cycles, dicts, texts, sorts, collect, comers):
    thread = threading.Thread(target=work)
    thread.daemon = True
    thread.start()
open(sys.argv[1], 'w').close()
while True:
    time.sleep(60)
