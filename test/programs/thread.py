# the MemoryError ends a thread, not the program
import threading


def grow():
    kept = []
    while True:
        kept.append("x" * 100000)


thread = threading.Thread(target=grow)
thread.start()
thread.join()
print("the main thread goes on")
