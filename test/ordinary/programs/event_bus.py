# Listeners that are never removed. truth: bus, self.listeners
class Bus:
    def __init__(self):
        self.listeners = {}

    def on(self, name, listener):
        self.listeners.setdefault(name, []).append(listener)


class Page:
    def __init__(self, bus, n):
        self.html = f"<p>{n}</p>" * 40  # <- line
        bus.on("change", self.changed)

    def changed(self):
        return self.html


def main():
    bus = Bus()
    n = 0
    while True:
        Page(bus, n)  # <- line
        n += 1


main()
