# celery with the file system as its broker: CELERY_FOLDER; run as a program it sends the task
import os

from celery import Celery

folder = os.environ["CELERY_FOLDER"]
for name in ("in", "done", "results"):
    os.makedirs(os.path.join(folder, name), exist_ok=True)
app = Celery("celery_tasks", broker="filesystem://", backend="file://" + folder + "/results")
app.conf.broker_transport_options = {
    "data_folder_in": folder + "/in",
    "data_folder_out": folder + "/in",
    "processed_folder": folder + "/done",
}


@app.task(name="eat")
def eat():
    kept = []
    while True:
        kept.append(bytearray(b"x" * (1 << 20)))


if __name__ == "__main__":
    app.send_task("eat")
