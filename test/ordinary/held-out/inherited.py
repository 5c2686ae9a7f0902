# A list of the base class that every subclass fills. truth: Base.instances, self.instances
class Base:
    instances = []

    def __init__(self, **values):
        self.values = values
        self.instances.append(self)  # <- line


class Order(Base):
    pass


class Invoice(Base):
    pass


n = 0
while True:
    Order(number=n, total=n * 1.5)  # <- line
    Invoice(number=n, paid=False)  # <- line
    n += 1
