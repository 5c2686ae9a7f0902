# A log that is split into fields. truth: table
def main():
    table = []
    line = "2026-01-31 12:00:00 INFO web GET /index.html 200 1234"
    while True:
        table.append(line.split(" "))  # <- line


main()
