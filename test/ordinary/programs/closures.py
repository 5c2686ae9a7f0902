# Callbacks that close over their data. truth: callbacks
def on_done(data):
    def callback():
        return len(data)

    return callback


def main():
    callbacks = []
    while True:
        callbacks.append(on_done(bytearray(1500)))  # <- line


main()
