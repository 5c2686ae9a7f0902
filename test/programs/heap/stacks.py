"""Threads, generators, async tasks, C calls, comprehensions and recursion; writes what faulthandler and
sys._current_frames say, then stops itself."""
import asyncio
import faulthandler
import functools
import json
import os
import signal
import sys
import threading
import time

sys.setrecursionlimit(20000)
threading.stack_size(256 * 1024 * 1024)


def numbers(stop):
    for i in range(3):
        yield i
    stop()


def through_generator(stop):
    return [
        n
        for n in numbers(stop)
    ]


class Service:
    def handle(self, stop):
        key = functools.cmp_to_key(lambda a, b: self.compare(
            a, b, stop))
        return sorted([2, 1], key=key)

    def compare(self, a, b, stop):
        with open(os.devnull) as unused:
            return list(map(
                lambda f: f(),
                [lambda: through_generator(stop)]))


def deep(n, stop):
    if n == 0:
        return Service().handle(stop)
    return deep(n - 1, stop)


async def task(stop):
    await asyncio.sleep(0)
    return {k: deep(5000, stop) for k in
            ('only',)}


def waiter(event):
    event.wait()


def stop():
    frames = {}
    for ident, frame in sys._current_frames().items():
        stack = frames.setdefault(ident, [])
        while frame is not None:
            stack.append([frame.f_code.co_name, frame.f_code.co_filename, frame.f_lineno])
            frame = frame.f_back
    with open(sys.argv[1] + '.json', 'w') as file:
        json.dump(frames, file)
    with open(sys.argv[1], 'w') as file:
        faulthandler.dump_traceback(file, all_threads=True)
    os.kill(os.getpid(), signal.SIGSTOP)
    # The signal may take another thread first: wait for it here.
    time.sleep(1000)


def main():
    event = threading.Event()
    for n in range(2):
        thread = threading.Thread(target=waiter, args=(event,), name='waiter-%d' % n)
        thread.daemon = True
        thread.start()
    time.sleep(0.3)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(task(stop))


runner = threading.Thread(target=main, name='runner')
runner.start()
runner.join()
