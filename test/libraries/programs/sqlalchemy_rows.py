# SQLAlchemy: all rows of a query at once. truth: rows, pages | needs: sqlalchemy | venv: web
from sqlalchemy import create_engine, text


def main():
    engine = create_engine("sqlite://")
    pages = []
    with engine.connect() as connection:
        while True:
            rows = connection.execute(
                text(
                    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) "
                    "select i, 'customer number ' || i || ' of the shop' from n"
                )
            ).fetchall()  # <- line
            pages.append(rows)


main()
