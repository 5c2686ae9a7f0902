# Large integers. truth: factorials
def main():
    factorials = [1]
    n = 1
    while True:
        factorials.append(factorials[-1] * n)  # <- line
        n += 1


main()
