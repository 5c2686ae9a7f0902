# A parser class with a token list and an index of positions. truth: lexer, self.tokens, self.positions
import re


class Lexer:
    word = re.compile(r"\w+")

    def __init__(self):
        self.tokens = []
        self.positions = {}

    def feed(self, text, base):
        for match in self.word.finditer(text):
            self.positions[base + match.start()] = len(self.tokens)  # <- line
            self.tokens.append(match.group())  # <- line


lexer = Lexer()
offset = 0
while True:
    lexer.feed("alpha beta gamma delta epsilon " * 20, offset)
    offset += 1000
