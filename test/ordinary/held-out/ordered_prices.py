# Decimals by date in an OrderedDict. truth: prices
from collections import OrderedDict
from datetime import datetime, timedelta
from decimal import Decimal


def main():
    prices = OrderedDict()
    day = datetime(1900, 1, 1)
    while True:
        prices[day] = Decimal("12.50") * day.day  # <- line
        day += timedelta(seconds=30)  # <- line


main()
