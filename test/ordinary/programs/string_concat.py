# A page that is put together by +=. truth: page
def render():
    page = ""
    while True:
        page += "<li>one more item in an endless list</li>\n" * 50  # <- line


render()
