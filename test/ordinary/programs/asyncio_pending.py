# Tasks that wait for ever. truth: waiting
import asyncio


async def session(n, stop):
    buffer = bytearray(2000)  # <- line
    await stop.wait()
    return buffer


async def main():
    stop = asyncio.Event()
    waiting = set()
    n = 0
    while True:
        waiting.add(asyncio.ensure_future(session(n, stop)))  # <- line
        n += 1
        if n % 100 == 0:
            await asyncio.sleep(0)


asyncio.run(main())
