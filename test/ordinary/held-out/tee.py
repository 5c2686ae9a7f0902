# itertools.tee, one half of which is never read. truth: late
import itertools


def main():
    early, late = itertools.tee(str(n) * 5 for n in itertools.count())  # <- line
    for _ in early:  # <- line
        pass
    print(next(late))


main()
