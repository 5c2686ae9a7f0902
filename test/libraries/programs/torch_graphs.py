# torch: losses that keep their graphs. truth: losses | needs: torch | venv: system | limit: 400
import torch


def main():
    torch.set_num_threads(1)
    model = torch.nn.Sequential(torch.nn.Linear(64, 256), torch.nn.ReLU(), torch.nn.Linear(256, 1))
    samples = torch.rand(2_000, 64)
    losses = []
    while True:
        losses.append(model(samples).pow(2).mean())  # <- line


main()
