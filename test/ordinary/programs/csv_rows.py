# Reads a CSV export into a list of dicts. truth: rows
import csv
import itertools


def lines():
    yield "id,name,city,amount"
    for i in itertools.count():
        yield f"{i},customer {i},city {i % 500},{i * 3 % 1009}.50"


def load():
    rows = []
    for row in csv.DictReader(lines()):  # <- line
        rows.append(row)  # <- line
    return rows


load()
