# concurrent.futures: BrokenProcessPool
import concurrent.futures


def eat(i):
    if i == 2:
        kept = []
        while True:
            kept.append(bytearray(b"x" * (1 << 20)))
    return i


if __name__ == "__main__":
    with concurrent.futures.ProcessPoolExecutor(2) as pool:
        print(list(pool.map(eat, range(6))))
