# many small objects, taken inside nested functions: memory ends in the middle of nowhere
def build(rows):
    while True:
        rows.append({"a": 1, "b": [1, 2, 3]})


def main():
    rows = []
    build(rows)


main()
