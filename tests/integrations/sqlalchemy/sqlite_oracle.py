"""What SQLite itself says that it reads: it asks its authorizer before it reads a column."""

import sqlite3
from typing import Self

from sqlalchemy_kit import METADATA

from purposeguard.integrations.sqlalchemy_tags import Tables

CATALOG = Tables((METADATA,)).catalog()


class Oracle:
    """One database that is asked."""

    def __init__(self, path):
        self._connection = sqlite3.connect(path, isolation_level=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_):
        self._connection.close()

    def reads(self, text):
        """Return the items that SQLite reads, or sets by an update, by category."""
        seen = set()

        def authorize(action, table, column, *_):
            if action in (sqlite3.SQLITE_READ, sqlite3.SQLITE_UPDATE) and table and column:
                seen.add((table, column))
            return sqlite3.SQLITE_OK

        self._connection.set_authorizer(authorize)
        try:
            self._connection.execute(f"EXPLAIN {text}")
        finally:
            self._connection.set_authorizer(None)
        columns = [
            relation.columns[column.lower()]
            for table, column in seen
            for relation in CATALOG.named(table)
            if column.lower() in relation.columns
        ]
        return by_category(each.tags for each in columns)


def touched(reading):
    """Return the items of a reading by category."""
    return by_category({each.category: each.items} for each in reading.touches)


def by_category(tags):
    """Return all items of each category; all three of a candidate stand for themselves."""
    found = {}
    for each in tags:
        for category, items in each.items():
            every = ("name", "contact", "work_history")
            found.setdefault(category, set()).update(every if items is None else items)
    return found
