"""The database: SQLite, with a connection for each request."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from flask import Flask, current_app, g

Row = dict[str, Any]

_HERE = Path(__file__).parent


def create(path: Path) -> None:
    """Make the database file, with the made-up people of seed.sql in it."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((_HERE / "schema.sql").read_text(encoding="utf-8"))
        connection.executescript((_HERE / "seed.sql").read_text(encoding="utf-8"))


def open_for(app: Flask, path: Path) -> bool:
    """Let the requests of an app use the database at `path`. Return whether it had to be made."""
    missing = not path.exists()
    if missing:
        create(path)
    app.config["DATABASE"] = path
    app.teardown_appcontext(_close)
    return missing


def rows(query: str, *values: object) -> list[Row]:
    """Return what a query finds."""
    return list(each_row(query, *values))


def each_row(query: str, *values: object) -> Iterator[Row]:
    """Yield what a query finds, row by row."""
    for row in _connection().execute(query, values):
        yield dict(row)


def execute(statement: str, *values: object) -> int:
    """Run one statement, and commit it. Return the id of the row that it has inserted."""
    with _connection() as connection:
        return connection.execute(statement, values).lastrowid or 0


def _connection() -> sqlite3.Connection:
    if "connection" not in g:
        g.connection = sqlite3.connect(current_app.config["DATABASE"])
        g.connection.row_factory = sqlite3.Row
    connection: sqlite3.Connection = g.connection
    return connection


def _close(_: BaseException | None) -> None:
    if "connection" in g:
        g.pop("connection").close()
