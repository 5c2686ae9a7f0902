# a MemoryError that is caught and survived: no death (P8)
try:
    bytearray(10**18)
except MemoryError:
    pass
print("went on with less")
