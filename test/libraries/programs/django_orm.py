# Django: a queryset that keeps its objects. truth: pages | needs: django | venv: web | line: any
import django
from django.conf import settings

settings.configure(
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    INSTALLED_APPS=[],
    DEFAULT_AUTO_FIELD="django.db.models.AutoField",
)
django.setup()
from django.db import connection, models  # noqa: E402


class Order(models.Model):
    note = models.TextField()

    class Meta:
        app_label = "shop"


def main():
    with connection.schema_editor() as editor:
        editor.create_model(Order)
    Order.objects.bulk_create([Order(note=f"order {i} " * 10) for i in range(5_000)])
    pages = []
    while True:
        page = Order.objects.all()
        len(page)  # <- line
        pages.append(page)


main()
