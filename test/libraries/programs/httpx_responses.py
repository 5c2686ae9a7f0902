# httpx: responses that are kept. truth: responses | needs: httpx | venv: web | line: any
import httpx


def answer(request):
    return httpx.Response(200, content=b"x" * 200_000)  # <- line


def main():
    client = httpx.Client(transport=httpx.MockTransport(answer))
    responses = []
    while True:
        responses.append(client.get("http://shop.example/"))  # <- line


main()
