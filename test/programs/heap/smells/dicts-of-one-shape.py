from common import has, stop

if has:
    rows = [{'id': n, 'name': n * 2, 'value': n * 3} for n in range(20000)]
else:
    rows = [{'key %d' % (n + k): k for k in range(3)} for n in range(20000)]
stop()
