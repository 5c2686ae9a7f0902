# dask: persisted arrays. truth: persisted | needs: dask.array | venv: data | line: any
import dask
import dask.array as da


def main():
    dask.config.set(scheduler="threads", num_workers=2)
    persisted = []
    while True:
        persisted.append((da.ones((1_000, 1_000), chunks=500) * 2).persist())  # <- line


main()
