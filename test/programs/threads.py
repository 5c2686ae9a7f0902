# threads.py N: starts N sleeping threads; "can't start new thread" where a limit on processes says no
import sys
import threading
import time

for _ in range(int(sys.argv[1])):
    threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
