# gevent: greenlets that wait with what they hold. truth: waiting, body, answer | needs: gevent | venv: web
import gevent
from gevent.event import Event


def serve(number, go):
    body = bytes([number % 256]) * 100_000  # <- line
    go.wait()
    return body


def main():
    go = Event()
    waiting = []
    number = 0
    while True:
        waiting.append(gevent.spawn(serve, number, go))
        gevent.sleep(0)
        number += 1


main()
