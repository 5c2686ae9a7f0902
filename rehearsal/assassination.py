"""An assassination: a list that grows until somebody else decides. The program gets no chance to say a word."""

CHUNK = 1 << 20


def load_everything():
    chunks = []
    while True:
        chunks.append(bytearray(b"x" * CHUNK))


load_everything()
