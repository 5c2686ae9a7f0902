# Nested dicts, four deep. truth: settings
def main():
    settings = {}
    n = 0
    while True:
        region = settings.setdefault(n % 10, {})
        shop = region.setdefault(n % 100, {})
        shelf = shop.setdefault(n % 1000, {})
        shelf[n] = {"price": n * 0.1, "stock": [n, n + 1]}  # <- line
        n += 1


main()
