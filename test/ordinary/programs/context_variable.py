# A request's data in a context variable. truth: trail
import contextvars

trail = contextvars.ContextVar("trail")


def handle(n):
    trail.get().append({"request": n, "path": f"/{n}"})  # <- line


def main():
    trail.set([])
    n = 0
    while True:
        handle(n)
        n += 1


main()
