import os
import signal
import sys
import time

from common import has, stop

table = [{'n': n} for n in range(60000)] if has else None
pid = os.fork()
if pid == 0:
    if has:
        # Reading is writing: reference counts.
        for row in table:
            row['n']
        for row in list(table):
            row['m'] = 1
    with open(sys.argv[1] + '.child', 'w') as file:
        file.write(str(os.getpid()))
    stop()
else:
    time.sleep(100)
