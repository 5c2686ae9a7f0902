# orjson: documents that are kept. truth: documents | needs: orjson | venv: web
import orjson


def main():
    documents = []
    number = 0
    while True:
        text = orjson.dumps([{"id": number + i, "name": f"name {number + i}"} for i in range(1_000)])
        documents.append(orjson.loads(text))  # <- line
        number += 1_000


main()
