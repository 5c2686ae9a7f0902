from common import has, stop

errors = []


def parse():
    content = ['line %d' % n for n in range(30000)]
    raise ValueError(len(content))


try:
    parse()
except ValueError as error:
    errors.append(error if has else str(error))
stop()
