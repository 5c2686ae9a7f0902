# Exceptions that are kept with their tracebacks. truth: failures
def parse(record):
    fields = [record] * 20  # <- line
    detail = {"record": record, "fields": fields, "raw": f"{record}" * 30}  # <- line
    raise ValueError(f"bad record {record}: {detail['raw'][:10]}")  # <- line


def main():
    failures = []
    n = 0
    while True:
        try:
            parse(n)  # <- line
        except ValueError as error:
            failures.append(error)  # <- line
        n += 1


main()
