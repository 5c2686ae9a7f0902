# A report in a StringIO. truth: out
import io


def report():
    out = io.StringIO()
    n = 0
    while True:
        out.write(f"line {n} of an endless report\n")  # <- line
        n += 1


report()
