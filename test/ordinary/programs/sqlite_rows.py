# fetchall() of a large table. truth: rows, everything
import sqlite3


def main():
    database = sqlite3.connect(":memory:")
    database.execute("create table sales (id integer, name text, amount real)")
    database.executemany(
        "insert into sales values (?, ?, ?)",
        ((n, f"customer {n}", n * 1.5) for n in range(20000)),
    )
    everything = []
    while True:
        rows = database.execute("select * from sales").fetchall()  # <- line
        everything.append(rows)


main()
