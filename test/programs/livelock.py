# CPython 3.11 to 3.13: when not even a 32-byte int can be allocated, unwinding into a try/finally or with block never ends:
# the exception table entry wants lasti pushed -> PyLong_FromLong fails -> exception_unwind -> same entry ... for ever, 100 % CPU
import sys
sys.stderr.write("start\n")
keep = [None] * 12_000_000
def work():
    n = 0
    a = 1; b = 2; c = 3; d = 4; e = 5; f = 6; g = 7; h = 8
    a = b + c; b = c + d; c = d + e; d = e + f; e = f + g; f = g + h; g = h + a; h = a + b
    a = b + c; b = c + d; c = d + e; d = e + f; e = f + g; f = g + h; g = h + a; h = a + b
    a = b + c; b = c + d; c = d + e; d = e + f; e = f + g; f = g + h; g = h + a; h = a + b
    a = b + c; b = c + d; c = d + e; d = e + f; e = f + g; f = g + h; g = h + a; h = a + b
    a = b + c; b = c + d; c = d + e; d = e + f; e = f + g; f = g + h; g = h + a; h = a + b
    a = b + c; b = c + d; c = d + e; d = e + f; e = f + g; f = g + h; g = h + a; h = a + b
    a = b + c; b = c + d; c = d + e; d = e + f; e = f + g; f = g + h; g = h + a; h = a + b
    a = b + c; b = c + d; c = d + e; d = e + f; e = f + g; f = g + h; g = h + a; h = a + b
    with open('/dev/null') as fh:
        while True:
            keep[n] = n + 1000
            n += 1
work()
