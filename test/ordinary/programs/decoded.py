# Bytes that are decoded and kept beside each other. truth: decoded
def main():
    raw = ("grüße aus köln " * 50).encode()
    decoded = []
    while True:
        decoded.append(raw.decode())  # <- line


main()
