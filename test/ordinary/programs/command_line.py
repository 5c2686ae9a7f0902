# -c: the program is an argument. truth: numbers | run: -c
numbers = []
n = 0
while True:
    numbers.append(str(n) * 8)  # <- line
    n += 1
