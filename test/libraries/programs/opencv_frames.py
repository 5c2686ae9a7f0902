# opencv: frames of a video. truth: frames | needs: cv2 | venv: data
import cv2
import numpy as np


def main():
    frame = np.zeros((480, 640, 3), dtype=np.uint8)
    frames = []
    while True:
        frames.append(cv2.GaussianBlur(frame, (5, 5), 0))  # <- line


main()
