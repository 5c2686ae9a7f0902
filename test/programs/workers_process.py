# multiprocessing.Process: exitcode -9, and the parent ends well
import multiprocessing


def eat():
    kept = []
    while True:
        kept.append(bytearray(b"x" * (1 << 20)))


if __name__ == "__main__":
    process = multiprocessing.Process(target=eat)
    process.start()
    process.join()
    print("exitcode", process.exitcode)
