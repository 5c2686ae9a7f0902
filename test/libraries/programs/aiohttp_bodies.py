# aiohttp: a handler that remembers each body. truth: SEEN | needs: aiohttp | venv: web | line: any
import asyncio

from aiohttp import ClientSession, web

SEEN = []


async def handle(request):
    SEEN.append(await request.read())  # <- line
    return web.Response(text="ok")


async def main():
    app = web.Application(client_max_size=1 << 30)
    app.router.add_post("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    async with ClientSession() as session:
        while True:
            async with session.post(f"http://127.0.0.1:{port}/", data=b"y" * 300_000) as response:
                await response.read()


asyncio.run(main())
