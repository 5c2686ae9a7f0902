# Results of many tasks, gathered in rounds. truth: results
import asyncio


async def fetch(n):
    await asyncio.sleep(0)
    return {"id": n, "body": "x" * 400}  # <- line


async def main():
    results = []
    n = 0
    while True:
        results.extend(await asyncio.gather(*(fetch(n + i) for i in range(500))))  # <- line
        n += 500


asyncio.run(main())
