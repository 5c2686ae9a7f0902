from common import has, stop

queue = list(range(100000)) * 3
if has:
    # pop() gives memory back only below half; del from the end of a slice keeps half of it.
    del queue[151000:]
else:
    queue = queue[:151000]
stop()
