# "except Exception: pass" eats the MemoryError; the result is wrong, the exit status 0
def work():
    try:
        kept = []
        while True:
            kept.append(bytearray(1 << 20))
    except Exception:
        pass


work()
print("done, the result is empty")
