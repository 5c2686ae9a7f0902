# uvloop: a queue that fills faster than it empties. truth: queue | needs: uvloop | venv: web | line: any
import asyncio

import uvloop


async def produce(queue):
    number = 0
    while True:
        await queue.put({"number": number, "payload": bytes(2_000)})  # <- line
        number += 1
        if number % 100 == 0:
            await asyncio.sleep(0)


async def consume(queue):
    while True:
        await queue.get()
        await asyncio.sleep(0.01)


async def main():
    queue = asyncio.Queue()
    await asyncio.gather(produce(queue), consume(queue))


uvloop.run(main())
