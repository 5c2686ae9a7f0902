# Generators that are started and never finished. truth: subscribers
def subscriber(name):
    backlog = [name] * 100  # <- line
    while True:
        backlog.append((yield))


def main():
    subscribers = []
    n = 0
    while True:
        one = subscriber(f"client {n}")
        next(one)  # <- line
        subscribers.append(one)
        n += 1


main()
