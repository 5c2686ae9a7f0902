# A child of multiprocessing that keeps all it gets. truth: kept
import multiprocessing


def work(number):
    kept = []
    while True:
        kept.append([number, str(number) * 40])  # <- line
        number += 1


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    child = multiprocessing.Process(target=work, args=(1,))
    child.start()
    child.join()
