# jinja2: rendered pages in a cache. truth: PAGES | needs: jinja2 | venv: web
import jinja2

PAGES = {}
template = jinja2.Template("{% for i in range(2000) %}<li>{{ title }} {{ i }}</li>{% endfor %}")


def page(title):
    PAGES[title] = template.render(title=title)  # <- line


number = 0
while True:
    page(f"page {number}")
    number += 1
