"""Changes as wildly as it can, in one way: `wild.py FILE WAY`, where FILE is made once it is under way.

Texts that are data begin with a word that stands in no source: wherever a look shows it, it took data for a name.
"""
import _signal
import gc
import mmap
import os
import sys
import threading
import time
from _collections import deque

# Without the modules that bring thousands of objects: what changes shall be most of the heap.
FunctionType = type(lambda: None)
ModuleType = type(sys)

data_word = ''.join(reversed('xqz'))


class Random(object):
    def __init__(self):
        self.seed()

    def seed(self):
        self.state = os.getpid() ^ (int(time.time() * 1e6) & 0xFFFFFFFF)

    def random(self):
        self.state = (self.state * 1664525 + 1013904223) & 0xFFFFFFFF
        return self.state / 2.0**32

    def randrange(self, first, end=None):
        if end is None:
            first, end = 0, first
        return first + int(self.random() * (end - first))

    def uniform(self, first, end):
        return first + self.random() * (end - first)

    def choice(self, items):
        return items[self.randrange(len(items))]


random = Random()


def text(n):
    return '%s%d' % (data_word, n)


class Node(object):
    pass


class Ending(object):
    def __init__(self):
        self.me = self

    def __del__(self):
        self.last_words = [text(n) for n in range(20)]


class Slotted(object):
    __slots__ = ('left', 'right', 'other')


def in_threads(*works):
    for work in works:
        thread = threading.Thread(target=work)
        thread.daemon = True
        thread.start()
    ready()
    while True:
        time.sleep(1)


def ready():
    open(sys.argv[1], 'w').close()


def some_ms(least, most):
    time.sleep(random.uniform(least, most) / 1000)


# exec: one program after another, of other CPythons too, from within threads.
def exec_on_and_on():
    pythons = sys.argv[3].split(':')
    turn = int(sys.argv[4]) if len(sys.argv) > 4 else 0
    # Never both in one program.
    if turn % 2 == 0:
        globals()['held_by_even'] = [text(n) for n in range(4000)]
    else:
        globals()['held_by_odd'] = {n: text(n) for n in range(3000)}
    ready()

    def going():
        words = [sys.argv[1], 'exec', sys.argv[3], str(turn + 1)]
        python = pythons[(turn // 3) % len(pythons)]
        words = [python, '-I', '-S', __file__] + words
        some_ms(0, 80)
        if turn % 4 == 3:
            # Something else in between.
            words = ['/bin/sh', '-c', 'sleep 0.02; exec "$@"', 'sh'] + words
        os.execv(words[0], words)

    if turn % 3 == 0:
        going()
    threading.Thread(target=going).start()
    while True:
        changing = [text(n) for n in range(1000)]
        changing.sort()


# fork: short lives that end in every way, while they are looked at.
def short_life():
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    random.seed()
    end = time.time() + random.uniform(0, 0.08)
    how = random.randrange(7)
    if how in (0, 1):
        thread = threading.Thread(target=churn)
        thread.daemon = True
        thread.start()
    short_lived = {}
    while time.time() < end:
        for n in range(200):
            short_lived[text(random.randrange(100000))] = [n, text(n)]
    if how in (0, 2):
        sys.exit(3)
    if how in (1, 3):
        os._exit(4)
    if how == 4:
        os.kill(os.getpid(), _signal.SIGKILL)
    if how == 5:
        raise KeyError(text(5))
    os.execv('/bin/sh', ['/bin/sh', '-c', 'exit 5'])


def forks():
    inherited = [text(n) for n in range(4000)]
    alive = set()
    ready()
    while True:
        while len(alive) < 4:
            pid = os.fork()
            if pid == 0:
                short_life()
            alive.add(pid)
        if random.random() < 0.2:
            os.kill(random.choice(list(alive)), _signal.SIGKILL)
        some_ms(1, 4)
        while alive:
            pid, _ = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            alive.discard(pid)
    return inherited


# mmap and munmap, of files that become shorter too.
def maps():
    kept = deque()
    while True:
        size = 4096 << random.randrange(10)
        area = mmap.mmap(-1, size)
        area[:size] = b'z' * size
        kept.append(area)
        while len(kept) > random.randrange(60):
            kept.popleft().close()


def file_maps():
    path = sys.argv[1] + '.mapped'
    while True:
        with open(path, 'wb') as file:
            file.truncate(1 << 20)
        with open(path, 'r+b') as file:
            area = mmap.mmap(file.fileno(), 1 << 20)
            area[:10] = b'z' * 10
            file.truncate(random.randrange(1 << 20))
            some_ms(0, 2)
            area.close()


def large_blocks():
    while True:
        blocks = [b'z' * random.randrange(1 << 18) for _ in range(random.randrange(30))]
        blocks.reverse()


# Threads that start and end.
def churn():
    while True:
        nodes = [Node() for _ in range(100)]
        for node in nodes:
            node.other = random.choice(nodes)
            node.text = text(7)


def comer(depth):
    if depth > 0:
        return comer(depth - 1)
    local = threading.local()
    local.held = [text(n) for n in range(50)]
    some_ms(0, 3)
    return local


def comers():
    while True:
        threads = [
            threading.Thread(target=comer, args=(random.randrange(20),), name='comer')
            for _ in range(random.randrange(1, 12))
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()


# The collector.
def cycles():
    while True:
        endings = [Ending() for _ in range(100)]
        endings[0].others = endings
        del endings
        if random.random() < 0.1:
            gc.set_threshold(random.randrange(1, 2000), random.randrange(1, 20), 10)


def collect():
    while True:
        gc.collect(random.randrange(3))
        if hasattr(gc, 'freeze') and random.random() < 0.2:
            gc.freeze()
            gc.unfreeze()
        objects = gc.get_objects()
        del objects


# Containers that grow and shrink; instances that change their dict and class.
def dicts():
    table = {}
    while True:
        for n in range(random.randrange(3000)):
            table[text(random.randrange(100000))] = n
        for key in list(table)[: random.randrange(3000)]:
            del table[key]
        if len(table) > 8000:
            table.clear()


def lists():
    items, queue, members = [], deque(), set()
    while True:
        count = random.randrange(3000)
        items.extend(range(count))
        queue.extend(items[:count])
        members.update(items)
        del items[random.randrange(len(items) + 1) :]
        while len(queue) > 4000:
            queue.popleft()
        if len(members) > 6000:
            members = set()
        items.sort(key=lambda item: -item)


def instances():
    while True:
        node = Node()
        for name in ('left', 'right', 'other', 'text', 'me', 'last_words'):
            setattr(node, name, text(1))
        node.__dict__ = dict(node.__dict__, others=[text(n) for n in range(10)])
        del node.left
        node.__class__ = Ending
        slotted = Slotted()
        slotted.left = node
        slotted.right = slotted


def buffers():
    growing = bytearray()
    while True:
        growing.extend(b'z' * random.randrange(100000))
        if len(growing) > 400000:
            del growing[random.randrange(1000) :]


# Code that is replaced while it runs.
sources = [
    'def %s(first, second=None):\n' % name + '    third = [first]\n' * lines + '    return third\n'
    for name, lines in (('made_one', 1), ('made_two', 40), ('made_three', 9))
]


def made_over(first, second=None):
    return [first, second]


def codes():
    while True:
        made = {}
        exec(compile(random.choice(sources), '<made>', 'exec'), made)
        for function in list(made.values()):
            if isinstance(function, FunctionType):
                function(text(1))
                made_over.__code__ = function.__code__
        made_over(text(2))
        kind = type('MadeType', (Node,), {'method': made_over, 'attribute': text(3)})
        kind().method()
        module = ModuleType('made_module')
        module.content = [text(n) for n in range(100)]
        sys.modules['made_module'] = module
        waiting = suspended(3)
        next(waiting)
        sys.modules.pop('made_module', None)


def suspended(depth):
    held = [text(n) for n in range(depth)]
    if depth > 0:
        for item in suspended(depth - 1):
            yield item
    yield held


# Recursion.
def deeper(depth, argument):
    if depth == 0:
        return [argument for _ in range(3)]
    if depth % 100 == 0:
        return sorted([depth], key=lambda item: deeper(depth - 1, item))
    return deeper(depth - 1, [argument])


def recurse():
    while True:
        deeper(random.randrange(1500), text(1))
        some_ms(0, 1)


def recursion():
    sys.setrecursionlimit(4000)
    threading.stack_size(64 << 20)
    in_threads(recurse, recurse, recurse)


ways = {
    'exec': exec_on_and_on,
    'fork': forks,
    'maps': lambda: in_threads(maps, maps, file_maps, large_blocks),
    'threads': lambda: in_threads(comers, comers, churn),
    'collector': lambda: in_threads(cycles, cycles, collect),
    'resize': lambda: in_threads(dicts, lists, instances, buffers),
    'code': lambda: in_threads(codes, codes, churn),
    'recursion': recursion,
}


def all_subclasses(kind, found):
    if kind not in found:
        found.add(kind)
        for below in type.__subclasses__(kind):
            all_subclasses(below, found)
    return found


if sys.argv[2] == 'words':
    # Names that stand in no Python source are made by C code; and what else the programs of these tests import.
    import _ast  # 3.8 makes its types at the first compile()
    import json
    import random
    import traceback  # 3.13 prints an exception that nobody caught with it

    print('symtable entry')
    for kind in all_subclasses(object, set()):
        print(kind.__module__, kind.__name__, kind.__qualname__, ' '.join(type.__dir__(kind)))
    for name, module in list(sys.modules.items()):
        print(name, ' '.join(getattr(module, '__dict__', ())))
    for module in list(sys.modules.values()):
        print(getattr(module, '__file__', None))
    print(os.path.dirname(os.__file__))
else:
    ways[sys.argv[2]]()
