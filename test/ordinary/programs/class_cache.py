# A cache on the class. truth: Thumbnail._made, cls._made
class Thumbnail:
    _made = {}

    def __init__(self, name):
        self.name = name
        self.pixels = bytes(900)  # <- line

    @classmethod
    def of(cls, name):
        if name not in cls._made:
            cls._made[name] = cls(name)  # <- line
        return cls._made[name]


number = 0
while True:
    Thumbnail.of(f"image-{number}.png")  # <- line
    number += 1
