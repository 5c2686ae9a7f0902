# lxml: documents that are kept. truth: documents | needs: lxml | venv: web
from lxml import etree


def main():
    text = b"<orders>" + b"<order id='1'><note>a note of some length</note></order>" * 2_000 + b"</orders>"
    documents = []
    while True:
        documents.append(etree.fromstring(text))  # <- line


main()
