STORE = {}


def put(n):
    STORE[n] = {"n": n, "text": f"item {n}", "tags": ["a", "b"]}  # <- line
