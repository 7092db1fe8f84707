"""Engines: how a database is reached, and how long anything in it may take."""

import math
import os
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from purposeguard.exceptions import SubjectStoreError

MIGRATION_SECONDS = 60.0
"""How long a migration waits for a lock, another process's migration for one."""
_CONNECTIONS = 8
"""Connections that stay open; as many again open and close as they are needed."""
_WRITES = "purposeguard_writes"
_UNREADABLE = (
    "the store's URL can't be read: use for example `sqlite:///subjects.db` or "
    "`postgresql://user@host/database`"
)


def parse_url(url: str | URL) -> URL:
    """Return a URL with the driver that is used. Raises SubjectStoreError, without its text."""
    try:
        made = make_url(url)
    except (ArgumentError, ValueError, TypeError):
        raise SubjectStoreError(_UNREADABLE) from None
    if made.drivername in ("postgresql", "postgres", "postgresql+psycopg"):
        return made.set(drivername="postgresql+psycopg")
    if made.drivername in ("sqlite", "sqlite+pysqlite"):
        return made
    raise SubjectStoreError(
        "the store's URL names another database or driver: use `sqlite` or `postgresql+psycopg`"
    )


def in_memory(url: URL) -> bool:
    """Whether it is an SQLite database that ends with its process."""
    if url.get_backend_name() != "sqlite":
        return False
    name = url.database or ""
    return name in ("", ":memory:", "file::memory:") or url.query.get("mode") == "memory"


def engine_for(url: URL, timeout: float, *, migrating: bool = False) -> Engine:
    """Return an engine, whose steps each take at most `timeout` seconds.

    For `migrating` a statement takes what it takes, and locks are waited for a minute. Raises
    SubjectStoreError for a URL that can't be one of its database.
    """
    sqlite = url.get_backend_name() == "sqlite"
    try:
        return (_sqlite if sqlite else _postgresql)(url, timeout, migrating)
    except ModuleNotFoundError:
        raise SubjectStoreError(
            "PostgreSQL needs psycopg, which the extra `postgresql` brings: "
            "pip install 'purposeguard[subjects,postgresql]'"
        ) from None
    except (ArgumentError, ValueError):
        raise SubjectStoreError(_UNREADABLE) from None


def reading(engine: Engine) -> Engine:
    """Return the engine for reads: on PostgreSQL each is one statement, with no round trip more."""
    if engine.dialect.name == "sqlite":
        return engine
    return engine.execution_options(isolation_level="AUTOCOMMIT")


def writing(engine: Engine) -> Engine:
    """Return the engine for transactions that write."""
    return engine.execution_options(**{_WRITES: True})


def _sqlite(url: URL, timeout: float, migrating: bool) -> Engine:
    arguments: dict[str, Any] = {"timeout": MIGRATION_SECONDS if migrating else timeout}
    connections = {"pool_size": _CONNECTIONS, "max_overflow": _CONNECTIONS}
    if in_memory(url):
        # The database is its one connection, which its threads take turns with.
        arguments["check_same_thread"] = False
        connections = {"pool_size": 1, "max_overflow": 0}
    elif url.database and "uri" not in url.query:
        _private(url.database)
    engine = create_engine(
        url,
        connect_args=arguments,
        poolclass=QueuePool,
        pool_timeout=timeout,
        hide_parameters=True,
        **connections,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _private(file: str) -> None:
    """Make the file where it is missing, so that only its owner can read it.

    It is closed before it has its name: to close a file that SQLite has open, here or in another
    thread, would take SQLite's locks off it, and others could remove what it writes.
    """
    try:
        if Path(file).exists():
            return
        made, name = tempfile.mkstemp(prefix=f"{Path(file).name}-", dir=Path(file).parent)
    except OSError:
        return  # connecting says so
    os.close(made)
    try:
        os.link(name, file)
    except OSError:
        pass  # it is there by now; where there are no links, SQLite makes it as the umask says
    finally:
        Path(name).unlink(missing_ok=True)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # the module begins none by itself, `_begin_sqlite` does
    connection.execute("PRAGMA synchronous=FULL")  # what is committed survives a power cut


def _begin_sqlite(connection: Connection) -> None:
    """Begin a transaction. One that reads first and writes then could find that it came too late.

    So one that writes is one from its beginning, and waits for others there.
    """
    writes = connection.get_execution_options().get(_WRITES)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _postgresql(url: URL, timeout: float, migrating: bool) -> Engine:
    engine = create_engine(
        url,
        connect_args={
            "connect_timeout": max(2, math.ceil(timeout)),  # whole seconds, and no fewer
            # A host that is gone doesn't answer, and is to be missed.
            "tcp_user_timeout": _milliseconds(timeout),
            "keepalives_idle": math.ceil(timeout),
            "keepalives_interval": 1,
            "keepalives_count": 2,
        },
        isolation_level="READ COMMITTED",
        pool_size=_CONNECTIONS,
        max_overflow=_CONNECTIONS,
        pool_timeout=timeout,
        pool_pre_ping=True,  # a server that was restarted is met with a new connection
        hide_parameters=True,
    )
    settings = {
        "statement_timeout": "0" if migrating else f"{_milliseconds(timeout)}ms",
        "lock_timeout": f"{_milliseconds(MIGRATION_SECONDS if migrating else timeout)}ms",
        "timezone": "UTC",
    }

    def prepare(connection: Any, _record: object) -> None:
        for name, value in settings.items():
            connection.execute("SELECT set_config(%s, %s, false)", (name, value))
        connection.commit()

    event.listen(engine, "connect", prepare)
    return engine


def _milliseconds(seconds: float) -> int:
    return max(1, math.ceil(seconds * 1000))
