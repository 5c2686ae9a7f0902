"""Totals of orders by customer. Holds every order to the end, which is more than it is given."""


def read_orders():
    for number in range(2_000_000):
        yield {"id": number, "customer": f"customer-{number % 1000}", "amount": number * 0.01}


def load(orders):
    rows = []
    for order in orders:
        rows.append(order)
    return rows


def main():
    rows = load(read_orders())
    totals = {}
    for row in rows:
        totals[row["customer"]] = totals.get(row["customer"], 0) + row["amount"]
    print(len(totals), "customers")


main()
