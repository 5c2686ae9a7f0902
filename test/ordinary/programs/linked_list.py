# A linked list. truth: head, history
class Node:
    def __init__(self, value, after):
        self.value = value
        self.after = after


def record():
    head = None
    n = 0
    while True:
        head = Node(f"event {n}", head)  # <- line
        n += 1


record()
