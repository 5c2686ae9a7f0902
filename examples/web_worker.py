"""A web worker that answers requests and caches what it rendered: by the whole URL, with its session parameter, and for ever.

Standard library only: the requests are made up. Give it a limit and watch it die:

    coroner run systemd-run --user --scope -p MemoryMax=256M python3 examples/web_worker.py
"""
import queue
import random
import threading
import time


class PageCache:
    """The mistake: no bound, and a key that never comes again."""

    def __init__(self):
        self.pages = {}
        self.hits = 0

    def get(self, url, render):
        page = self.pages.get(url)
        if page is None:
            page = self.pages[url] = render(url)
        else:
            self.hits += 1
        return page


class Application:
    def __init__(self):
        self.cache = PageCache()
        self.requests = queue.Queue(maxsize=100)

    def render(self, url):
        title = url.split('?')[0]
        return '<html><h1>%s</h1>%s</html>' % (title, '<p>words of a page</p>' * random.randrange(100, 400))

    def serve(self):
        while True:
            url = self.requests.get()
            self.cache.get(url, self.render)


application = Application()


def visitors():
    while True:
        application.requests.put('/article/%d?session=%032x' % (random.randrange(200), random.getrandbits(128)))
        time.sleep(0.0001)


if __name__ == '__main__':
    for n in range(4):
        threading.Thread(target=application.serve, name='worker-%d' % n, daemon=True).start()
    visitors()
