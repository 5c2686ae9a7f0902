# for pytest -n: the worker that runs this is killed, and the test is blamed
def test_fine():
    pass


def test_eat():
    kept = []
    while True:
        kept.append(bytearray(b"x" * (1 << 20)))
