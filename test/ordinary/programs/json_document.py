# Parses one big JSON answer. truth: orders, text
import json


def fetch(n):
    item = {"id": 1, "tags": ["a", "b", "c"], "price": 12.5, "note": "left at the door"}
    return "[" + ",".join([json.dumps(item)] * n) + "]"  # <- line


def main():
    orders = []
    while True:
        text = fetch(20000)
        orders.append(json.loads(text))  # <- line


main()
