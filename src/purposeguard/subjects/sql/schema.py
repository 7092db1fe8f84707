"""The schema of a database: made, brought up to date, or refused."""

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    ColumnClause,
    Connection,
    Engine,
    column,
    insert,
    inspect,
    select,
    table,
    text,
)

from purposeguard.exceptions import SubjectStoreError
from purposeguard.subjects.sql.engines import MIGRATION_SECONDS, writing
from purposeguard.subjects.sql.tables import SCHEMA_NAME, STORE

SCHEMA = "0001"
"""The revision that this version of purposeguard works with; a later one is a greater text."""
MIGRATIONS = Path(__file__).parent / "migrations"

_REVISION: ColumnClause[str] = column("version_num")
_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL)
"""SQLite's codes for what others do at the same moment."""
_ADVISORY_LOCK = 0x70_67_73_75_62_6A  # any number that nothing else takes


def usable(engine: Engine, key_id: str) -> bool:
    """Whether a database has the schema of this version. Raises SubjectStoreError.

    False where it is to be made, or, with SQLite, to be brought up to date.
    """
    with engine.connect() as connection:
        found = _revision(connection)
        if found is not None:
            _refuse_newer(found)
            _refuse_another_key(connection, key_id)
        if found is None or found == SCHEMA:
            return found is not None
        if engine.dialect.name == "sqlite":
            return False
        raise SubjectStoreError(
            f"the store of subjects has the older schema {found}: bring it to {SCHEMA} with "
            "`purposeguard subject migrate`"
        )


def migrate(engine: Engine, key_id: str) -> None:
    """Make the schema or bring it up to date, whoever else does so at the same time.

    All of it is one transaction. Raises SubjectStoreError.
    """
    with writing(engine).connect() as connection:
        sqlite = engine.dialect.name == "sqlite"
        if sqlite:
            _write_ahead(connection.connection.driver_connection)
        with connection.begin():
            if not sqlite:
                connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
            found = _revision(connection)
            if found is not None:
                _refuse_newer(found)
                _refuse_another_key(connection, key_id)
            if found != SCHEMA:
                _upgrade(connection)
            if found is None:
                connection.execute(
                    insert(STORE).values(id=1, key_id=key_id, made=datetime.now(UTC))
                )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(SCHEMA_NAME):
        return None
    found = connection.execute(select(_REVISION).select_from(table(SCHEMA_NAME))).scalar()
    return None if found is None else str(found)


def _refuse_newer(found: str) -> None:
    if found > SCHEMA:
        raise SubjectStoreError(
            f"the store of subjects has the newer schema {found}, and this version knows {SCHEMA}: "
            "use a newer purposeguard"
        )


def _refuse_another_key(connection: Connection, key_id: str) -> None:
    if connection.execute(select(STORE.c.key_id)).scalar() != key_id:
        raise SubjectStoreError(
            "the store of subjects was made with another subject key: use that key, or another "
            "database"
        )


def _write_ahead(connection: Any) -> None:
    """Let readers and a writer go side by side; the file remembers it.

    Who comes in at the same moment is not waited for, so it is tried again.
    """
    end = time.monotonic() + MIGRATION_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _PASSING or time.monotonic() > end:
                raise
            time.sleep(0.01)
        else:
            return


def _upgrade(connection: Connection) -> None:
    try:  # slow to import, and not needed once the schema is there
        from alembic.migration import MigrationContext  # noqa: PLC0415
        from alembic.operations import Operations  # noqa: PLC0415
        from alembic.script import ScriptDirectory  # noqa: PLC0415
    except ImportError:
        raise SubjectStoreError(
            "making the store of subjects needs alembic, which the extra `subjects` brings: "
            "pip install 'purposeguard[subjects]'"
        ) from None

    scripts = ScriptDirectory(str(MIGRATIONS))
    upgrades: Callable[..., Any] = scripts._upgrade_revs  # as Alembic's cookbook does
    context = MigrationContext.configure(
        connection,
        opts={
            "version_table": SCHEMA_NAME,
            "fn": lambda revision, _context: upgrades("head", revision),
        },
    )
    # Handed over rather than through `alembic.op`, which is one for the whole process.
    context.run_migrations(op=Operations(context))
