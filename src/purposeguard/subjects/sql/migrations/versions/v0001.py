"""The events, and the store's one row about itself."""

from alembic.operations import Operations
from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Integer,
    String,
)

revision = "0001"
down_revision = None

_ID = BigInteger().with_variant(Integer, "sqlite")
_TIME = DateTime(timezone=True)


def upgrade(op: Operations) -> None:
    """Make the tables."""
    op.create_table(
        "purposeguard_subject_events",
        Column("id", _ID, Identity(), primary_key=True),
        Column("person", String(32), nullable=False),
        Column("role", String(8), nullable=False),
        Column("category", String(64)),
        Column("kind", String(32), nullable=False),
        Column("at", _TIME, nullable=False),
        Column("recorded", _TIME, nullable=False),
        Column("actor", String(32)),
        Column("request", _ID, ForeignKey("purposeguard_subject_events.id")),
        Column("details", JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    for name, columns in (
        ("of_person", ["person", "at", "id"]),
        ("of_kind", ["kind", "category", "person"]),
        ("of_request", ["request", "kind"]),
    ):
        op.create_index(
            f"purposeguard_subject_events_{name}", "purposeguard_subject_events", columns
        )
    op.create_table(
        "purposeguard_subject_store",
        Column("id", Integer, primary_key=True, autoincrement=False),
        Column("key_id", String(8), nullable=False),
        Column("made", _TIME, nullable=False),
        CheckConstraint("id = 1", name="purposeguard_subject_store_is_one"),
    )
