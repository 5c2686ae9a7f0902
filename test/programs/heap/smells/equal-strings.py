from common import has, stop

if has:
    cities = ['city number %d' % (n % 30) for n in range(40000)]
else:
    cities = ['city number %d' % n for n in range(40000)]
stop()
