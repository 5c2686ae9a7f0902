import array

from common import has, stop

if has:
    points = [(float(n), n + 0.5) for n in range(60000)]
else:
    points = [array.array('d', range(60000)), array.array('d', range(60000))]
stop()
