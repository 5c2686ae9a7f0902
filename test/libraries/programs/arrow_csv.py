# pyarrow: a file of CSV, read batch by batch, all of them kept. truth: batches | needs: pyarrow | venv: data
import io

from pyarrow import csv


def main():
    text = ("id,amount,city\n" + "17,2.5,Amsterdam\n" * 60_000).encode()
    batches = []
    while True:
        batches.extend(csv.read_csv(io.BytesIO(text)).to_batches())  # <- line


main()
