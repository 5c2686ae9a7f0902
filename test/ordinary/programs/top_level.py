# A script without any function. truth: lines
lines = []
n = 0
while True:
    lines.append(f"{n};{n * n};{n * n * n}")  # <- line
    n += 1
