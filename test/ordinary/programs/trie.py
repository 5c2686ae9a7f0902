# A trie of dicts. truth: trie
import random


def insert(trie, word):
    at = trie
    for letter in word:
        at = at.setdefault(letter, {})  # <- line
    at["$"] = word


def main():
    trie = {}
    letters = "abcdefghijklmnopqrstuvwxyz"
    random.seed(4)
    while True:
        insert(trie, "".join(random.choices(letters, k=9)))  # <- line


main()
