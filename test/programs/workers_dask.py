# dask's process scheduler: BrokenProcessPool
import dask


@dask.delayed
def eat(x):
    kept = []
    while True:
        kept.append(bytearray(b"x" * (1 << 20)))


if __name__ == "__main__":
    print(dask.compute(eat(1), scheduler="processes", num_workers=2))
