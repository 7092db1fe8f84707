"""What the tests of the store of subjects share: databases of their own, and people."""

import contextlib
import os
import secrets
import threading
from datetime import UTC, datetime
from functools import cache

import pytest
from sqlalchemy import Engine, Pool, create_engine, event, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from purposeguard.subjects.facts import NOTHING
from purposeguard.subjects.keys import SubjectKey
from purposeguard.subjects.sql import SqlSubjects
from purposeguard.subjects.sql.engines import parse_url

KEY = b"a subject key of the tests only"
_HASH = SubjectKey(KEY).hash
DEADLINE = 60
"""Seconds after which something hangs."""
SHORT = 1.0
"""A timeout that is to run out, and is long enough for a busy machine where it isn't to."""

_SERVERS = ("postgresql://postgres@127.0.0.1/postgres", "postgresql://")


def subject(value, category="candidate"):
    """Return the keyed hash of a person."""
    return _HASH(f"subject:{category}", value)


def customer(value):
    """Return the keyed hash of a customer."""
    return _HASH("customer", value)


def facts_of(store, person):
    """Return what is true now about one person."""
    return store.facts([person]).get(person, NOTHING)


def day(number):
    """Return a time in a January that is over."""
    return datetime(2024, 1, number, 12, tzinfo=UTC)


@cache
def server():
    """Return the URL of a PostgreSQL that answers, or None."""
    asked = os.environ.get("PURPOSEGUARD_POSTGRESQL")
    for each in (asked,) if asked else _SERVERS:
        url = parse_url(each)
        engine = create_engine(url, connect_args={"connect_timeout": 3})
        try:
            with engine.connect():
                return url
        except (SQLAlchemyError, ImportError):
            continue
        finally:
            engine.dispose()
    return None


class Place:
    """Where a test keeps its stores: a database of its own."""

    def __init__(self, url):
        self.url = url
        self.sqlite = url.startswith("sqlite")
        self.engine = create_engine(url)
        """A way to it that isn't the store's."""

    def open(self, **options):
        """Open a store."""
        return SqlSubjects(self.url, key=KEY, **options)

    def do(self, statement, **values):
        """Run a statement behind the store's back."""
        with self.engine.begin() as connection:
            return connection.execute(text(statement), values)

    def rows(self, table):
        """Return all rows of a table."""
        return self.do(f"SELECT * FROM {table} ORDER BY 1").all()

    @contextlib.contextmanager
    def locked(self):
        """Have somebody else work on the events, who doesn't come to an end."""
        lock = "LOCK TABLE purposeguard_subject_events IN ACCESS EXCLUSIVE MODE"
        with self.engine.connect() as connection:
            if self.sqlite:
                connection.connection.driver_connection.execute("BEGIN IMMEDIATE")
            else:
                connection.execute(text(lock))
            yield
            connection.rollback()


@contextlib.contextmanager
def place_in(kind, directory):
    """Make an empty database of a kind, and drop it."""
    if kind == "sqlite":
        place = Place(f"sqlite:///{directory / 'subjects.db'}")
        yield place
        place.engine.dispose()
        return
    url = server()
    if url is None:
        pytest.skip("no PostgreSQL answers: set PURPOSEGUARD_POSTGRESQL to its URL")
    name = f"purposeguard_{secrets.token_hex(8)}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    own = url.update_query_dict({"options": f"-csearch_path={name}"})
    place = Place(own.render_as_string(hide_password=False))
    try:
        yield place
    finally:
        place.engine.dispose()
        with engine.connect() as connection:
            connection.execute(text("SET lock_timeout = '20s'"))
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


@contextlib.contextmanager
def statements():
    """Yield a list of all that any engine is told meanwhile."""
    seen = []

    def see(_connection, _cursor, statement, *_rest):
        seen.append(statement)

    event.listen(Engine, "before_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", see)


@contextlib.contextmanager
def connections():
    """Yield which connections are open that anybody opens meanwhile, and whose turn it was."""
    opened, used = set(), []

    def connect(connection, _record):
        opened.add(connection)

    def checkout(_connection, record, _proxy):
        used.append(record)

    def close(connection, _record):
        opened.discard(connection)

    heard = {"connect": connect, "checkout": checkout, "close": close}
    for name, hear in heard.items():
        event.listen(Pool, name, hear)
    try:
        yield opened, used
    finally:
        for name, hear in heard.items():
            event.remove(Pool, name, hear)


def in_threads(works):
    """Run works side by side, and fail as the first of them does."""
    wrong = []

    def run(work):
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised below
            wrong.append(error)

    threads = [threading.Thread(target=run, args=(each,), daemon=True) for each in works]
    for each in threads:
        each.start()
    for each in threads:
        each.join(DEADLINE)
        assert not each.is_alive(), "a thread hangs"
    if wrong:
        raise wrong[0]


def host_of(url):
    """Return host and port of a PostgreSQL, or skip where it is reached by a socket file."""
    made = make_url(url)
    if not made.host or made.host.startswith("/"):
        pytest.skip("PostgreSQL is not reached over TCP here")
    return made.host, made.port or 5432
