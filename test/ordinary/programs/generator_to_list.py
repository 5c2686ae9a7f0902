# list() of a generator. truth: readings
import math


def sensor():
    t = 0
    while True:
        yield math.sin(t)  # <- line
        t += 1


def main():
    readings = list(sensor())  # <- line
    return len(readings)


main()
