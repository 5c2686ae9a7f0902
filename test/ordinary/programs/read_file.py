# Reads whole files that are large. truth: contents
def main():
    contents = []
    while True:
        with open("/dev/zero", "rb") as file:
            contents.append(file.read(4 << 20))  # <- line


main()
