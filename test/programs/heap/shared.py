"""A tree and an index of its nodes: what both hold is neither's alone. Stops itself."""
import os
import signal
import sys


class Row(object):
    def __init__(self, n):
        self.tags = ['tag %d of %d' % (k, n) for k in range(8)]


def build(depth):
    if depth == 0:
        return {'leaf': float(depth), 'more': [depth, 'text %d' % depth]}
    return dict(('child %d' % i, build(depth - 1)) for i in range(8))


def main():
    tree = build(5)
    index = {}

    def walk(node, path):
        for key, value in node.items():
            if isinstance(value, dict):
                index[path + key] = value
                walk(value, path + key)

    walk(tree, '')
    rows = [Row(n) for n in range(5000)]
    open(sys.argv[1], 'w').close()
    os.kill(os.getpid(), signal.SIGSTOP)
    return tree, index, rows


main()
