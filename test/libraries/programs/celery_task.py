# celery: a task that keeps what it made. truth: RESULTS | needs: celery | venv: web
import threading

from celery import Celery

app = Celery("shop", broker="memory://", backend="cache+memory://")
app.conf.task_ignore_result = True
RESULTS = []


@app.task
def summarize(number):
    RESULTS.append([f"row {number} {i}" for i in range(5_000)])  # <- line


def send():
    number = 0
    while True:
        summarize.delay(number)
        number += 1
        done.wait(0.002)


done = threading.Event()
threading.Thread(target=send, daemon=True).start()
app.worker_main(["worker", "--pool=solo", "--without-gossip", "--without-mingle", "--loglevel=ERROR"])
