"""A parent and workers that each hold a known amount: argv is how they are started (fork, spawn, forkserver, exec, subprocess)."""
import json
import os
import subprocess
import sys

MIB = 1 << 20


def hold(nbytes):
    return bytearray(b"x") * nbytes  # worker


def work(nbytes):
    block = hold(nbytes)
    return [os.getpid(), len(block)]


if __name__ == "__main__":
    how = sys.argv[1]
    if how == "worker":
        print(json.dumps(work(int(sys.argv[2]))))
        sys.stdout.flush()
        sys.exit(0)
    parent = bytearray(b"y") * (24 * MIB)  # parent
    sizes = [16 * MIB, 20 * MIB]
    if how in ("fork", "spawn", "forkserver"):
        import multiprocessing

        context = multiprocessing.get_context(how)
        with context.Pool(1, maxtasksperchild=1) as pool:
            done = pool.map(work, sizes, chunksize=1)
    elif how == "subprocess":
        done = [json.loads(subprocess.check_output([sys.executable, __file__, "worker", str(n)])) for n in sizes]
    elif how == "exec":
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.dup2(w, 1)
            os.execv(sys.executable, [sys.executable, __file__, "worker", str(sizes[0])])
        os.waitpid(pid, 0)
        done = [json.loads(os.read(r, 1000))]
    print(json.dumps({"parent": os.getpid(), "workers": done}))
