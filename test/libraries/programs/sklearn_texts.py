# scikit-learn: the words of each day, vectorized. truth: days | needs: sklearn | venv: data | limit: 400 | line: any
from sklearn.feature_extraction.text import TfidfVectorizer


def texts(day):
    return [" ".join(f"word{day}x{i * 7 % 4000}n{j}" for j in range(12)) for i in range(1_500)]


def main():
    days = []
    day = 0
    while True:
        vectorizer = TfidfVectorizer()
        days.append((vectorizer, vectorizer.fit_transform(texts(day))))  # <- line
        day += 1


main()
