# Anonymous mappings that are written to. truth: buffers
import mmap


def main():
    buffers = []
    while True:
        buffer = mmap.mmap(-1, 1 << 20)  # <- line
        for at in range(0, 1 << 20, 4096):
            buffer[at] = 1
        buffers.append(buffer)


main()
