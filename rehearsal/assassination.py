"""An assassination: a list that grows until somebody else decides. The program gets no chance to say a word."""

CHUNK = 1 << 20


def load_everything():
    chunks = []
    while True:
        chunks.append(bytearray(b"x" * CHUNK))
        sum(range(300_000))  # What a real program does in between.


load_everything()
