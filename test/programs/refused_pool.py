"""A pool of four whose last worker asks for more than the others leave of the limit, while they hold what they have."""
import multiprocessing
import sys
import time

full = multiprocessing.Barrier(4)


def fill(count):
    rows = []
    for number in range(50000):
        rows.append({"number": number, "text": str(number)})
    full.wait(30)
    for number in range(count):
        rows.append({"number": number, "text": str(number)})
    while count == 0:
        time.sleep(0.05)
    return len(rows)


if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(4) as pool:
        results = [pool.apply_async(fill, (count,)) for count in (0, 0, 0, 2000000)]
        print(results[-1].get())
