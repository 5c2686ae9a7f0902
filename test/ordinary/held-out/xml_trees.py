# Parsed XML documents that are kept. truth: documents
import xml.etree.ElementTree as ET


def main():
    text = "<shop>" + "<item id='1'><name>lamp</name><price>9.50</price></item>" * 200 + "</shop>"
    documents = []
    while True:
        documents.append(ET.fromstring(text))  # <- line


main()
