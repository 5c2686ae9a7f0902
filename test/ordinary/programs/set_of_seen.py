# A crawler's set of seen addresses. truth: seen
def crawl():
    seen = set()
    n = 0
    while True:
        address = f"https://shop.example/item/{n}?page={n % 7}"  # <- line
        seen.add(address)  # <- line
        n += 1


crawl()
