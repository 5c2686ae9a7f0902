# re.findall over a growing text. truth: words | line: any
import re


def text(n):
    return "the quick brown fox jumps over the lazy dog " * n


def main():
    words = []
    while True:
        words += re.findall(r"[a-z]+", text(2000))  # <- line


main()
