# Data of a thread in threading.local. truth: local, threading.local().rows
import threading

local = threading.local()


def work():
    local.rows = []
    n = 0
    while True:
        local.rows.append({"n": n, "text": f"row {n}"})  # <- line
        n += 1


thread = threading.Thread(target=work)
thread.start()
thread.join()
