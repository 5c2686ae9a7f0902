# Results of a thread pool that are kept. truth: done, futures
from concurrent.futures import ThreadPoolExecutor


def resize(n):
    return bytes(3000) + bytes([n % 256])  # <- line


def main():
    done = []
    with ThreadPoolExecutor(4) as pool:
        n = 0
        while True:
            futures = [pool.submit(resize, n + i) for i in range(200)]
            done.extend(future.result() for future in futures)
            n += 200


main()
