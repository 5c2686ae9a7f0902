# An upload that is kept in a BytesIO. truth: upload
import io


def receive():
    upload = io.BytesIO()
    while True:
        upload.write(b"chunk" * 2000)  # <- line


receive()
