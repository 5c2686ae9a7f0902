# Flask under gunicorn: a cache in the worker. truth: flask_gunicorn.CACHE, CACHE | needs: flask, gunicorn | venv: web | run: -m gunicorn -c python:flask_gunicorn flask_gunicorn:app
import os
import signal
import threading
import urllib.request

from flask import Flask

workers = 1
bind = "127.0.0.1:18633"
graceful_timeout = 1
app = Flask("shop")
CACHE = {}


def child_exit(server, worker):
    os.kill(os.getpid(), signal.SIGTERM)


@app.route("/item/<int:number>")
def item(number):
    CACHE[number] = [f"item {number} part {i}" for i in range(5_000)]  # <- line
    return "ok"


def ask():
    number = 0
    while True:
        with urllib.request.urlopen(f"http://{bind}/item/{number}") as response:
            response.read()
        number += 1


def post_worker_init(worker):
    threading.Thread(target=ask, daemon=True).start()
