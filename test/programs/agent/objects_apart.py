"""Sampled objects in every hand: freed by threads, by forked children that have begun a file of their own, grown, kept to the end."""
import gc
import os
import sys
import threading
import warnings

# Of a thread that has been joined and is not quite gone yet (3.12 and later).
warnings.simplefilter("ignore")


def churn(rounds, kept):
    mine = []
    for i in range(rounds):
        row = {"i": i, "s": "x" * (i % 300), "l": [i] * (i % 40)}
        row["l"].append(i)
        mine.append(row)
        if len(mine) > 500:
            kept.append(mine.pop(i % 500))
            del mine[: i % 300]
    return sum(len(row["s"]) for row in mine)


kept = []
threads = [threading.Thread(target=churn, args=(6000, kept)) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()

children = []
for number in range(6):
    pid = os.fork()
    if pid == 0:
        # What it was born with goes before, while and after it makes objects of its own.
        del kept[: len(kept) * number // 6]
        own = []
        worker = threading.Thread(target=churn, args=(4000, own))
        worker.start()
        del kept[:]
        churn(4000, own)
        worker.join()
        gc.collect()
        grandchild = os.fork()
        if grandchild == 0:
            del own[:]
            churn(2000, [])
            os._exit(7)
        _, status = os.waitpid(grandchild, 0)
        os._exit(0 if status == 7 << 8 else 1)
    children.append(pid)
churn(4000, kept)
failed = sum(os.waitpid(pid, 0)[1] != 0 for pid in children)
assert all(len(row["l"]) == row["i"] % 40 + 1 and len(row["s"]) == row["i"] % 300 for row in kept)
print("ok" if not failed else "%d children failed" % failed)
sys.stdout.flush()
