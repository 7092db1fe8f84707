"""The tables. `migrations/versions` makes them; a test holds the two together."""

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Dialect,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    TypeDecorator,
)

EVENTS_NAME = "purposeguard_subject_events"
STORE_NAME = "purposeguard_subject_store"
SCHEMA_NAME = "purposeguard_subject_schema"
"""Alembic's own table, with the revision of the schema."""


class Moment(TypeDecorator[datetime]):
    """An aware time, UTC on both sides. SQLite knows no time zones and keeps it as text."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return it as the database takes it."""
        if value is None:
            return None
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return it aware, UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


_METADATA = MetaData()
_ID = BigInteger().with_variant(Integer, "sqlite")

EVENTS = Table(
    EVENTS_NAME,
    _METADATA,
    Column("id", _ID, Identity(), primary_key=True),
    Column("person", String(32), nullable=False),
    Column("role", String(8), nullable=False),
    Column("category", String(64)),
    Column("kind", String(32), nullable=False),
    Column("at", Moment(), nullable=False),
    Column("recorded", Moment(), nullable=False),
    Column("actor", String(32)),
    Column("request", _ID, ForeignKey(f"{EVENTS_NAME}.id")),
    Column("details", JSON, nullable=False),
    Index(f"{EVENTS_NAME}_of_person", "person", "at", "id"),
    Index(f"{EVENTS_NAME}_of_kind", "kind", "category", "person"),
    Index(f"{EVENTS_NAME}_of_request", "request", "kind"),
    sqlite_autoincrement=True,  # an id is never used twice
)
"""Everything that has happened, in the order in which it was written. Only ever added to."""

STORE = Table(
    STORE_NAME,
    _METADATA,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("key_id", String(8), nullable=False),
    Column("made", Moment(), nullable=False),
    CheckConstraint("id = 1", name=f"{STORE_NAME}_is_one"),
)
"""One row: which subject key the hashes are made with."""
