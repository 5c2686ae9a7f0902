"""An ETL job: reads orders from CSV, joins customers, sums by city. It keeps every row as a dict "for a report at the end".

Needs nothing but the standard library (numpy is used where it is there). Give it a limit and watch it die:

    coroner run systemd-run --user --scope -p MemoryMax=256M python3 examples/etl_job.py
"""
import csv
import io
import random

CITIES = ['Amsterdam', 'Berlin', 'Copenhagen', 'Dublin', 'Edinburgh', 'Florence']


def extract(batches, size):
    """Batches of orders as a CSV export would give them."""
    for batch in range(batches):
        text = io.StringIO()
        writer = csv.writer(text)
        for n in range(size):
            order = batch * size + n
            writer.writerow([order, random.choice(CITIES), random.randrange(1, 500), '2026-01-%02d' % (n % 28 + 1)])
        text.seek(0)
        yield csv.DictReader(text, fieldnames=['order', 'city', 'amount', 'day'])


def transform(orders):
    for order in orders:
        row = dict(order)
        row['amount'] = float(row['amount'])
        row['vat'] = row['amount'] * 0.21
        yield row


def summarize(rows):
    totals = {}
    for row in rows:
        totals[row['city']] = totals.get(row['city'], 0) + row['amount']
    return totals


def main():
    all_rows = []
    for orders in extract(batches=2000, size=5000):
        # The mistake: only the sums are needed, but every row is kept.
        all_rows.extend(transform(orders))
    print(summarize(all_rows))


if __name__ == '__main__':
    main()
