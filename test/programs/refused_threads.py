"""Four threads fill one cache until each was refused memory, and all go on."""
import threading

cache = {}
go = threading.Event()


def fill(number):
    rows = cache[number] = []
    go.wait()
    try:
        while True:
            rows.append({"number": number, "text": "row %d" % len(rows)})
    except MemoryError:
        del rows[len(rows) // 2 :]


threads = [threading.Thread(target=fill, args=(number,)) for number in range(4)]
for thread in threads:
    thread.start()
go.set()
for thread in threads:
    thread.join()
raise SystemExit(3)
