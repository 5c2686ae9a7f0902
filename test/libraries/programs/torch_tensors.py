# torch: a cache of tensors. truth: embeddings.cache, self.cache | needs: torch | venv: system | limit: 400
import torch


class Embeddings:
    def __init__(self):
        self.cache = {}

    def of(self, word):
        if word not in self.cache:
            self.cache[word] = torch.rand(64, 768)  # <- line
        return self.cache[word]


def main():
    torch.set_num_threads(1)
    embeddings = Embeddings()
    number = 0
    while True:
        embeddings.of(number)
        number += 1


main()
