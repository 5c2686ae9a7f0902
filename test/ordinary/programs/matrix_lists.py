# A matrix of lists. truth: matrix
def main():
    matrix = []
    n = 0
    while True:
        matrix.append([float(n + i) for i in range(200)])  # <- line
        n += 1


main()
