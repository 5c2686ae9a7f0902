# joblib (loky): TerminatedWorkerError
from joblib import Parallel, delayed


def eat(i):
    if i == 2:
        kept = []
        while True:
            kept.append(bytearray(b"x" * (1 << 20)))
    return i


print(Parallel(n_jobs=2)(delayed(eat)(i) for i in range(6)))
