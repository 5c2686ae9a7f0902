# Path objects of a walk over a large tree. truth: found
from pathlib import PurePosixPath


def main():
    found = []
    n = 0
    while True:
        found.append(PurePosixPath(f"/data/{n % 97}/{n}.parquet"))  # <- line
        n += 1


main()
