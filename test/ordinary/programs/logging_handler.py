# A handler that keeps all records. truth: handler, self.records
import logging


class Keeper(logging.Handler):
    def __init__(self):
        super().__init__()
        self.records = []

    def emit(self, record):
        self.records.append(record)


log = logging.getLogger("shop")
log.setLevel(logging.INFO)
handler = Keeper()
log.addHandler(handler)


def main():
    n = 0
    while True:
        log.info("order %d of %s", n, "somebody" * 5)  # <- line
        n += 1


main()
