# array.array that grows. truth: samples
import array


def main():
    samples = array.array("d")
    t = 0
    while True:
        samples.append(t * 0.5)  # <- line
        t += 1


main()
