# A memo with tuple keys. truth: memo
def paths(x, y, z, memo):
    key = (x, y, z)
    if key not in memo:
        memo[key] = [x * y, y * z, (x + y) * z]  # <- line
    return memo[key]


def main():
    memo = {}
    n = 0
    while True:
        paths(n, n + 1, n % 13, memo)  # <- line
        n += 1


main()
