# /eat takes memory until something stops it, /hang stays (with SIGABRT blocked, like code stuck in C), all else answers
import signal
import time


def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/eat":
        kept = []
        while True:
            kept.append(bytearray(b"x" * (1 << 20)))
    if path == "/hang":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGABRT])
        while True:
            time.sleep(1)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"ok\n"]
