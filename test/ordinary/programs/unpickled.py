# Batches from a pickle. truth: batches
import pickle


def main():
    blob = pickle.dumps([{"x": i, "y": float(i)} for i in range(2000)])
    batches = []
    while True:
        batches.append(pickle.loads(blob))  # <- line


main()
