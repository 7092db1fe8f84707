"""Several hundred statements: what each touches, by its text alone and when it is executed."""

import corpus_common
import corpus_postgresql
import corpus_sqlite
import pytest
from sqlalchemy import event
from sqlalchemy.exc import DatabaseError
from sqlalchemy_kit import EVERYTHING, METADATA, accesses, engine_of, installed, new_guard
from sqlite_oracle import Oracle, touched

from purposeguard import UndecidedAccessError
from purposeguard.integrations.sql.reading import Reader
from purposeguard.integrations.sqlalchemy_tags import Tables
from purposeguard.testing import capture

CORPUS = {
    "sqlite": {**corpus_common.COMMON, **corpus_sqlite.SQLITE},
    "postgresql": {**corpus_common.COMMON, **corpus_postgresql.POSTGRESQL},
}
UNRUNNABLE = {
    "sqlite": corpus_sqlite.UNRUNNABLE,
    "postgresql": corpus_postgresql.UNRUNNABLE,
}
ALL = ("contact", "name", "work_history")
OPERATIONS = {"+": "store", "-": "erase"}


def expected(written):
    """Return the accesses that a line of the corpus names, and whether they are gaps."""
    found = []
    for each in filter(None, written.split("; ")):
        category, *items = each.split()
        sign, category = category[0], category.lstrip("+-?")
        listed = None if items in (["*"], []) else ALL if items == ["@"] else tuple(items)
        found.append((category, listed, OPERATIONS.get(sign, "use")))
    return found, "?" in written


@pytest.fixture(scope="module")
def readers():
    """A reader for each dialect."""
    return {name: Reader(Tables((METADATA,)).catalog(), name) for name in CORPUS}


@pytest.mark.parametrize("dialect", CORPUS)
def test_what_a_statement_touches_is_told_by_its_text(readers, dialect):
    """Each category, with the items of its columns and the operation."""
    assert len(CORPUS[dialect]) >= 200
    wrong = {}
    for text, written in CORPUS[dialect].items():
        reading = readers[dialect].read(text)
        got = [(each.category, each.items, each.operation or "use") for each in reading.touches]
        if (got, bool(reading.cause)) != expected(written):
            wrong[text] = (got, reading.cause)
    assert wrong == {}


@pytest.fixture(params=CORPUS, scope="module")
def place(request, tmp_path_factory):
    """A database of each kind, with a guard that grants everything for `payroll`."""
    directory = tmp_path_factory.mktemp("corpus")
    with engine_of(request.param, directory) as engine:
        if request.param == "sqlite":  # whose driver would commit before a table is made
            event.listen(engine, "connect", _leave_transactions_to_us)
            event.listen(engine, "begin", lambda each: each.exec_driver_sql("BEGIN"))
            engine.dispose()
        guard = new_guard(EVERYTHING)
        with installed(engine, guard):
            yield engine, guard


def _leave_transactions_to_us(connection, _):
    connection.isolation_level = None


def executed(engine, text):
    """Execute a statement, take it back, and return how that went."""
    if engine.dialect.paramstyle == "pyformat":
        text = text.replace("%", "%%")
    with engine.connect() as connection:
        try:
            connection.exec_driver_sql(text)
        except UndecidedAccessError:
            return "gap"
        except DatabaseError as error:
            if text.startswith("COPY"):  # which this driver begins, and then has its own call for
                connection.invalidate()
                return "done"
            return str(error.orig)
        connection.rollback()
    return "done"


def test_what_a_statement_touches_is_recorded_when_it_is_executed(place):
    """The database takes each statement, and the records are those that the corpus expects."""
    engine, guard = place
    name = engine.dialect.name
    wrong = {}
    for text, written in CORPUS[name].items():
        if text in UNRUNNABLE[name]:
            continue
        awaited, gap = expected(written)
        with capture(guard) as records, guard.purpose("payroll"):
            came = executed(engine, text)
        got = (came, accesses(records))
        if got != (("gap", awaited[:1]) if gap else ("done", awaited)):
            wrong[text] = got
    assert wrong == {}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    """SQLite itself."""
    with (
        engine_of("sqlite", tmp_path_factory.mktemp("oracle")) as engine,
        Oracle(engine.url.database) as oracle,
    ):
        yield oracle


def test_sqlite_itself_reads_no_more(readers, oracle):
    """Its authorizer, which it asks before it reads a column, names none that isn't expected."""
    asked, missed = 0, {}
    for text, written in CORPUS["sqlite"].items():
        first = text.split()[0].upper()
        if first not in READ or text in NOT_ASKED or "?" in written:
            continue
        asked += 1
        ours = touched(readers["sqlite"].read(text))
        its = oracle.reads(text)
        if any(not items <= ours.get(category, set()) for category, items in its.items()):
            missed[text] = (ours, its)
    assert missed == {}
    assert asked > 250


READ = ("SELECT", "WITH", "VALUES", "INSERT", "REPLACE", "UPDATE", "DELETE")
NOT_ASKED = corpus_sqlite.UNRUNNABLE | corpus_common.BRACKETS | corpus_sqlite.BRACKETS


def test_of_plain_queries_sqlite_reads_as_much(readers, oracle):
    """What is told of a query is not more than SQLite reads, either."""
    more = {}
    for text in corpus_common.SELECTS.keys() - corpus_common.BRACKETS - corpus_common.USING:
        ours, its = touched(readers["sqlite"].read(text)), oracle.reads(text)
        if ours != its:
            more[text] = (ours, its)
    assert more == {}
