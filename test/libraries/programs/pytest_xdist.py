# pytest-xdist: what a test leaves in its module. truth: LEFT | needs: xdist | venv: run | run: -m pytest -q -p no:cacheprovider -n 1 --maxworkerrestart=0 {path}
LEFT = []


def test_many():
    number = 0
    while True:
        LEFT.append([f"row {number} {i}" for i in range(1_000)])  # <- line
        number += 1
