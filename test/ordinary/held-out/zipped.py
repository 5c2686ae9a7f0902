# Columns that are zipped to rows and sorted by one of them. truth: names, scores, rows, table
def main():
    names = []
    scores = []
    table = []
    n = 0
    while True:
        names.append(f"player {n}")  # <- line
        scores.append(n * 17 % 1000)
        if n % 10000 == 0:
            table.extend(sorted(zip(scores[-10000:], names[-10000:])))  # <- line
        n += 1


main()
