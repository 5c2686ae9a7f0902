"""Makes one large structure of a kind, stops itself when it is large, and says before how much larger it has become."""

import asyncio
import collections
import functools
import itertools
import json
import os
import queue
import signal
import sqlite3
import sys

truth, kind, most = sys.argv[1], sys.argv[2], int(sys.argv[3])


def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


before = resident()


def count(number):
    if number == most:
        with open(truth, "w") as file:
            json.dump({"bytes": resident() - before}, file)
        os.kill(os.getpid(), signal.SIGSTOP)


class Cache:
    entries = {}


def class_cache():
    for number in itertools.count():
        Cache.entries["key %d" % number] = {"id": number, "tags": ["a", str(number)]}
        count(number)


class Link:
    def __init__(self, value):
        self.value = value
        self.following = None
        self.before = None


def chain():
    first = last = Link("0")
    for number in itertools.count():
        link = Link("value %d" % number)
        link.before = last
        last.following = link
        last = link
        count(number)
    return first


def rows_of():
    for number in itertools.count():
        yield (number, "row %d" % number, [number, str(number)])
        count(number)


def from_generator():
    listed = list(rows_of())
    return listed


def converted(number):
    count(number)
    return {"id": number, "text": "line %d" % number}


def comprehension():
    records = [converted(number) for number in itertools.count()]
    return records


def returned():
    return {number: converted(number) for number in itertools.count()}


def awaited():
    table = returned()
    return table


class Loader:
    def load(self):
        self.items = list(map(converted, itertools.count()))


def attribute():
    Loader().load()


def sqlite():
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    fetched = []
    query = "with recursive t(n) as (select 1 union all select n + 1 from t where n < 100) select n, 'name ' || n, n * 1.5 from t"
    for number in itertools.count():
        fetched.extend(connection.execute(query).fetchall())
        count(number * 100)


class Parent:
    def __init__(self):
        self.children = []


class Child:
    def __init__(self, parent, number):
        self.parent = parent
        self.payload = "payload %d" % number


def cycles():
    families = []
    for number in itertools.count():
        parent = Parent()
        for _ in range(5):
            parent.children.append(Child(parent, number))
        families.append(parent)
        count(number)


def failing(number):
    payload = "x" * 2000 + str(number)
    raise ValueError(payload[-5:])


def exceptions():
    errors = []
    for number in itertools.count():
        try:
            failing(number)
        except ValueError as error:
            errors.append(error)
        count(number)


def trie():
    root = {}
    for number in itertools.count():
        node = root
        for letter in "%08x" % (number * 2654435761 % 2**32):
            node = node.setdefault(letter, {})
        count(number)


memo = {}


def memoised():
    for number in itertools.count():
        memo[(number, number + 1)] = (number * 1000003, "p%d" % number)
        count(number)


@functools.lru_cache(maxsize=None)
def computed(number):
    return [number, str(number) * 3]


def cached_calls():
    for number in itertools.count():
        computed(number)
        count(number)


def counted():
    grams = collections.Counter()
    for number in itertools.count():
        words = ["w%d" % (number + at) for at in range(3)]
        grams[tuple(words)] += 1
        count(number)


def queued():
    jobs = queue.Queue()
    for number in itertools.count():
        jobs.put(("job", number, bytearray(200)))
        count(number)


def closure():
    def make():
        seen = {}

        def visit(number):
            seen[number] = "visited %d" % number

        return visit

    visitor = make()
    for number in itertools.count():
        visitor(number)
        count(number)


async def fetched_one(number):
    await asyncio.sleep(0)
    return {"id": number, "body": "z" * 500 + str(number)}


async def gathered():
    results = []
    for number in itertools.count():
        results.extend(await asyncio.gather(*[fetched_one(at) for at in range(100)]))
        count(number * 100)


def tasks():
    asyncio.run(gathered()) if sys.version_info >= (3, 7) else asyncio.get_event_loop().run_until_complete(gathered())


def untouched():
    reserved = list(range(most))
    held = []
    for number in itertools.count():
        held.append(bytes(1000))
        if number == 0:
            huge = bytearray(2**28)
        count(number)
    return reserved, huge


def buffers():
    held = []
    for number in itertools.count():
        held.append(b"x" * 200_000)
        count(number)


globals()[kind]()
