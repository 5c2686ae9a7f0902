# Objects of a framework that hold each other. truth: app, self.app.requests
class Request:
    def __init__(self, app, n):
        self.app = app
        self.headers = {"host": "shop.example", "id": str(n), "agent": "x" * 100}  # <- line
        app.requests.append(self)


class App:
    def __init__(self):
        self.requests = []


def main():
    app = App()
    n = 0
    while True:
        Request(app, n)  # <- line
        n += 1


main()
