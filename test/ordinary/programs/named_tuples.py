# Named tuples in a list. truth: ticks
from collections import namedtuple

Tick = namedtuple("Tick", "time bid ask volume")


def main():
    ticks = []
    t = 0
    while True:
        ticks.append(Tick(t, t * 0.5, t * 0.5 + 0.01, t % 97))  # <- line
        t += 1


main()
