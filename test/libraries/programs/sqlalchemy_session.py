# SQLAlchemy: a session that is never committed. truth: session | needs: sqlalchemy | venv: web
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str]


def main():
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    session = Session(engine, autoflush=False)
    number = 0
    while True:
        session.add(Order(note=f"order number {number} " * 8))  # <- line
        number += 1


main()
