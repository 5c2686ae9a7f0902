# opens files until the limit on descriptors says no: EMFILE 24, not memory
kept = []
while True:
    kept.append(open("/dev/null"))
