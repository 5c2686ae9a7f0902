# Chunks of a download in a list. truth: chunks
def download():
    chunks = []
    while True:
        chunks.append(bytearray(64 * 1024))  # <- line
        chunks[-1][::4096] = b"x" * 16


download()
