"""What the tests of the SQLAlchemy adapter share: a policy, tagged tables and databases."""

import contextlib
import os
import secrets
from functools import cache

import pytest
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    event,
    make_url,
    text,
)
from sqlalchemy.exc import SQLAlchemyError

from purposeguard import Guard
from purposeguard.integrations.sqlalchemy import SQLAlchemyPurposes, tag
from purposeguard.policy_file import parse_policy

POLICY = """\
purposeguard: 1
policy: staffing
version: "1"
purposes:
  hiring: {title: Hiring}
  hiring.selection: {title: Select whom to hire}
  hiring.invitation: {title: Invite to an interview}
  payroll: {title: Pay}
  news: {title: News}
categories:
  candidate: {title: Candidates, items: [name, contact, work_history]}
  employee: {title: Employees, items: [name, salary]}
matrix:
  candidate:
    hiring.selection: {clauses: [A1]}
    hiring.invitation: {clauses: [A2], items: [name, contact]}
    news: {clauses: [A3], items: [contact], needs: [consent_individual]}
  employee:
    hiring.selection: {clauses: [A4], items: [name]}
    payroll: {clauses: [A5]}
recipients:
  agency:
    kind: joint_use
    clauses: [A6]
    members: []
    to:
      candidate: {purposes: [hiring.selection], items: [name, work_history]}
sources:
  referral: {clauses: [A7]}
...
"""

COMPILED = parse_policy(POLICY)

EVERYTHING = parse_policy(
    POLICY.replace(
        "matrix:\n  candidate:\n", "matrix:\n  candidate:\n    payroll: {clauses: [B]}\n"
    )
)
"""The same, with all of both categories granted for `payroll`."""

_SERVERS = ("postgresql+psycopg://postgres@127.0.0.1/postgres", "postgresql+psycopg://")


def tables(metadata):
    """Declare tagged tables, one that holds nothing personal, and names that need quotes."""
    Table("jobs", metadata, Column("id", Integer, primary_key=True), Column("title", String))
    Table(
        "candidates",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String, info=tag("candidate", "name")),
        Column("email", String, unique=True, info=tag("candidate", "contact")),
        Column("history", String, info=tag("candidate", "work_history")),
        Column("job_id", ForeignKey("jobs.id")),
    )
    Table(
        "employees",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("name", String, info=tag("employee", "name")),
        Column("salary", Integer, info=tag("employee", "salary")),
        Column("candidate_id", ForeignKey("candidates.id")),
    )
    Table(
        "files",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("candidate_id", ForeignKey("candidates.id")),
        Column("body", String, info=tag("candidate")),
        Column("author", String, info=tag("employee", "name") | tag("candidate", "name")),
    )
    Table(
        "Staff Notes",
        metadata,
        Column("id", Integer, primary_key=True),
        Column("Full Text", String, info=tag("employee", "name", "salary")),
    )
    return metadata


METADATA = tables(MetaData())

ROWS = (
    "INSERT INTO jobs (id, title) VALUES (101, 'cook'), (102, 'clerk')",
    (
        "INSERT INTO candidates (id, name, email, history, job_id) VALUES "
        "(101, 'Mika Example', 'mika@example.org', '[\"baker\"]', 101), "
        "(102, 'Sam Sample', 'sam@example.org', '[\"typist\"]', 102)"
    ),
    "INSERT INTO employees (id, name, salary, candidate_id) VALUES (101, 'Kim Sample', 10, 101)",
    "INSERT INTO files (id, candidate_id, body, author) VALUES (101, 101, 'a letter', 'Kim')",
    """INSERT INTO "Staff Notes" (id, "Full Text") VALUES (101, 'Kim Sample earns 10')""",
)


def new_guard(policy=COMPILED, **options):
    """Return a guard for the small policy."""
    return Guard(policy, **options)


def accesses(records):
    """Return what records say was accessed: category, items and operation of each."""
    return [
        (each.decision.category, each.decision.items, each.decision.operation) for each in records
    ]


@cache
def server():
    """Return the URL of a PostgreSQL that answers, or None."""
    asked = os.environ.get("PURPOSEGUARD_POSTGRESQL")
    for each in (asked,) if asked else _SERVERS:
        url = make_url(each)
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        engine = create_engine(url, connect_args={"connect_timeout": 3})
        try:
            with engine.connect():
                return url
        except (SQLAlchemyError, ImportError):
            continue
        finally:
            engine.dispose()
    return None


@contextlib.contextmanager
def url_of(kind, directory):
    """Yield the URL of an empty database of a kind, and drop it."""
    if kind == "sqlite":
        yield make_url(f"sqlite:///{directory / 'staff.db'}")
        return
    url = server()
    if url is None:
        pytest.skip("no PostgreSQL answers: set PURPOSEGUARD_POSTGRESQL to its URL")
    name = f"purposeguard_{secrets.token_hex(8)}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE SCHEMA {name}"))
    try:
        options = f"-csearch_path={name} -cstatement_timeout=20s"
        yield url.update_query_dict({"options": options})
    finally:
        with engine.connect() as connection:
            connection.execute(text("SET lock_timeout = '20s'"))
            connection.execute(text(f"DROP SCHEMA {name} CASCADE"))
        engine.dispose()


@contextlib.contextmanager
def engine_of(kind, directory, metadata=METADATA, rows=ROWS, **options):
    """Yield an engine of a database that has the tables and some rows, with nothing installed."""
    with url_of(kind, directory) as url:
        engine = create_engine(url, **options)
        try:
            metadata.create_all(engine)
            with engine.begin() as connection:
                for row in rows:
                    connection.execute(text(row))
            yield engine
        finally:
            engine.dispose()


@contextlib.contextmanager
def installed(engine, guard, *metadata):
    """Check an engine's statements while the block is open."""
    purposes = SQLAlchemyPurposes(guard, *(metadata or (METADATA,)))
    purposes.install(engine)
    try:
        yield purposes
    finally:
        purposes.uninstall(engine)


@contextlib.contextmanager
def sent_to(engine):
    """Yield a list of the statements that an engine executes meanwhile."""
    seen = []

    def see(_connection, _cursor, statement, *_rest):
        seen.append(statement)

    event.listen(engine, "after_cursor_execute", see)
    try:
        yield seen
    finally:
        event.remove(engine, "after_cursor_execute", see)
