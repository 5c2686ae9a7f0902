# An importer object that keeps all it has read. truth: importer, self.records
class Importer:
    def __init__(self):
        self.records = []

    def read(self, source):
        for line in source:
            self.records.append(line.split(","))  # <- line


def source():
    n = 0
    while True:
        yield f"{n},alpha,beta,gamma,delta,{n * 7}"
        n += 1


importer = Importer()
importer.read(source())
