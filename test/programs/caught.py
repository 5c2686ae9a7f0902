# a MemoryError that is caught and survived: no death
try:
    bytearray(10**18)
except MemoryError:
    pass
print("went on with less")
