# pyarrow: tables that are kept. truth: tables | needs: pyarrow | venv: data
import pyarrow as pa


def main():
    tables = []
    number = 0
    while True:
        column = pa.array(range(number, number + 50_000), type=pa.int64())  # <- line
        tables.append(pa.table({"id": column, "double": column.cast(pa.float64())}))  # <- line
        number += 50_000


main()
