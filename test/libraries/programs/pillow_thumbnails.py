# pillow: pictures that are kept. truth: thumbnails | needs: PIL | venv: data
from PIL import Image


def main():
    picture = Image.new("RGB", (1600, 1200), "white")
    thumbnails = {}
    number = 0
    while True:
        thumbnails[number] = picture.resize((400, 300))  # <- line
        number += 1


main()
