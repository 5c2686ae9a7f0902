# Parts of a report that are joined at the end. truth: parts
def render():
    parts = []
    n = 0
    while True:
        parts.append(f"<tr><td>{n}</td><td>{n * n}</td></tr>")  # <- line
        n += 1


render()
