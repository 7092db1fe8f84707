"""Opening: the key, the schema and its migrations, and several processes at once."""

import os
import shutil
import subprocess
import sys

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect
from subject_kit import DEADLINE, KEY, Place, facts_of, place_in, server, statements, subject

from purposeguard.exceptions import SubjectStoreError
from purposeguard.subjects.keys import SubjectKey
from purposeguard.subjects.sql import SqlSubjects, schema
from purposeguard.subjects.sql.tables import EVENTS, SCHEMA_NAME

TABLES = {
    "purposeguard_subject_events",
    "purposeguard_subject_store",
    "purposeguard_subject_schema",
}
SET_REVISION = f"UPDATE {SCHEMA_NAME} SET version_num = :revision"


def set_revision(place, revision):
    """Make the database say that it has another schema."""
    place.do(SET_REVISION, revision=revision)


def test_the_first_opening_makes_the_tables(place):
    """And the next one makes nothing; Alembic isn't even looked for."""
    place.open().close()
    assert set(inspect(place.engine).get_table_names()) == TABLES
    [store] = place.rows("purposeguard_subject_store")
    assert store.key_id == SubjectKey(KEY).id
    with statements() as seen:
        place.open().close()
    assert not [each for each in seen if "CREATE" in each or "INSERT" in each]


def test_tables_of_others_are_left_alone(place):
    """A service's own database will do."""
    place.do("CREATE TABLE candidates (id INTEGER)")
    place.open().close()
    assert set(inspect(place.engine).get_table_names()) == {*TABLES, "candidates"}


def test_migrations_make_what_the_code_works_with(place):
    """Tables, columns and indexes are those of `tables.py`."""
    place.open().close()
    options = {"version_table": SCHEMA_NAME, "compare_type": True}
    with place.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        found = compare_metadata(context, EVENTS.metadata)
        if place.sqlite:  # some versions of Alembic miss the identity there, which it hasn't
            found = [each for each in found if "modify_default" not in str(each)]
        assert found == []
        assert context.get_current_revision() == schema.SCHEMA


def test_another_key_is_refused(place):
    """With the fix, and nothing of either key; the right one still opens."""
    with place.open() as store:
        store.use_suspended("candidate", 1)
    with pytest.raises(SubjectStoreError, match="made with another subject key") as caught:
        SqlSubjects(place.url, key=b"another key of the tests")
    assert SubjectKey(KEY).id not in str(caught.value)
    with pytest.raises(SubjectStoreError, match="made with another subject key"):
        SqlSubjects.migrate(place.url, key=b"another key of the tests")
    with place.open() as store:
        assert facts_of(store, subject(1)).use_suspended


def test_a_newer_schema_is_refused(place):
    """It may mean anything."""
    place.open().close()
    set_revision(place, "0999")
    for use in (place.open, lambda: SqlSubjects.migrate(place.url, key=KEY)):
        with pytest.raises(SubjectStoreError, match="newer schema 0999"):
            use()


@pytest.fixture
def next_schema(tmp_path, monkeypatch):
    """A version of purposeguard with one migration more."""
    copy = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, copy)
    (copy / "versions" / "v0002.py").write_text(
        "from sqlalchemy import Column, Integer\n"
        "revision, down_revision = '0002', '0001'\n"
        "def upgrade(op):\n"
        "    op.add_column('purposeguard_subject_store', Column('more', Integer))\n"
    )

    def begin():
        monkeypatch.setattr(schema, "MIGRATIONS", copy)
        monkeypatch.setattr(schema, "SCHEMA", "0002")

    return begin


def test_an_older_schema_is_brought_up_to_date(place, next_schema):
    """An SQLite file when it is opened, PostgreSQL by a command; what is on record stays."""
    with place.open() as store:
        store.use_suspended("candidate", 1)
    next_schema()
    if not place.sqlite:
        with pytest.raises(SubjectStoreError, match=r"schema 0001: .*`purposeguard subject migr"):
            place.open()
        SqlSubjects.migrate(place.url, key=KEY)
    with place.open() as store:
        assert facts_of(store, subject(1)).use_suspended
    columns = inspect(place.engine).get_columns("purposeguard_subject_store")
    assert "more" in {each["name"] for each in columns}
    assert place.do(f"SELECT version_num FROM {SCHEMA_NAME}").scalars().all() == ["0002"]


def test_a_migration_that_fails_leaves_the_schema_as_it_was(place, next_schema, tmp_path):
    """All of it is one transaction, and its error has no text of the database's."""
    place.open().close()
    next_schema()
    step = tmp_path / "migrations" / "versions" / "v0002.py"
    step.write_text(step.read_text() + "    op.execute('SELECT * FROM secret')\n")
    with pytest.raises(SubjectStoreError, match="can't be migrated") as caught:
        SqlSubjects.migrate(place.url, key=KEY)
    assert "secret" not in str(caught.value)
    assert place.do(f"SELECT version_num FROM {SCHEMA_NAME}").scalars().all() == ["0001"]
    columns = inspect(place.engine).get_columns("purposeguard_subject_store")
    assert "more" not in {each["name"] for each in columns}


def test_migrating_makes_an_empty_database(place):
    """And does nothing where there is nothing to do."""
    for _ in range(2):
        SqlSubjects.migrate(place.url, key=KEY)
    assert set(inspect(place.engine).get_table_names()) == TABLES
    place.open().close()


OPENER = """
import sys
from purposeguard.subjects.sql import SqlSubjects
print("ready", flush=True)
for url in sys.stdin:
    with SqlSubjects(url.strip(), key=sys.argv[1].encode(), timeout=30) as store:
        store.use_suspended("candidate", int(sys.argv[2]))
    print("done", flush=True)
"""


def test_four_processes_open_an_empty_database_at_once(place, tmp_path):
    """None fails, nothing is made twice, and each is heard. Files are cheap, so again and again."""
    again = [Place(f"sqlite:///{tmp_path / str(number)}") for number in range(6)]
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", OPENER, KEY.decode(), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for each in processes:
        assert each.stdout.readline() == "ready\n"
    for one in [place, *again] if place.sqlite else [place]:
        for each in processes:
            each.stdin.write(f"{one.url}\n")
            each.stdin.flush()
        for each in processes:
            assert each.stdout.readline() == "done\n"
        assert len(one.rows("purposeguard_subject_store")) == 1
        assert len(one.rows(SCHEMA_NAME)) == 1
        with one.open() as store:
            found = store.facts([subject(number) for number in range(4)])
        assert [each.use_suspended for each in found.values()] == [True] * 4
        one.engine.dispose()
    for each in processes:
        each.communicate(timeout=DEADLINE)
        assert each.returncode == 0
    assert not list(tmp_path.glob("*-????????"))


def test_who_may_not_make_tables_is_told_so():
    """With PostgreSQL's code for it."""
    url = server()
    if url is None:
        pytest.skip("no PostgreSQL answers: set PURPOSEGUARD_POSTGRESQL to its URL")
    options = "-csearch_path=purposeguard_nowhere -cdefault_transaction_read_only=on"
    with pytest.raises(SubjectStoreError, match=r"can't be migrated \(\w+, \w{5}\)"):
        SqlSubjects(url.update_query_dict({"options": options}), key=KEY)


def test_a_file_is_its_owners_alone(tmp_path):
    """Also what SQLite makes beside it."""
    with SqlSubjects(f"sqlite:///{tmp_path / 'subjects.db'}", key=KEY) as store:
        store.use_suspended("candidate", 1)
        files = list(tmp_path.iterdir())
        assert {each.name for each in files} >= {"subjects.db", "subjects.db-wal"}
        assert {each.stat().st_mode & 0o777 for each in files} == {0o600}


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_store_in_memory(url):
    """Each is one of its own, and ends when it is closed."""
    with SqlSubjects(url, key=KEY) as store, SqlSubjects(url, key=KEY) as other:
        store.use_suspended("candidate", 1)
        assert facts_of(store, subject(1)).use_suspended
        assert not facts_of(other, subject(1)).use_suspended


@pytest.mark.parametrize("missing", [True, False])
def test_a_file_that_can_not_be_opened_is_told_without_its_name(tmp_path, missing):
    """A directory that is missing, or a file that is no database."""
    file = tmp_path / ("nowhere/secret.db" if missing else "secret.db")
    if not missing:
        file.write_bytes(b"no database at all, just text. " * 200)
    with pytest.raises(SubjectStoreError, match=r"can't be opened \(\w+, SQLITE_\w+\)") as caught:
        SqlSubjects(f"sqlite:///{file}", key=KEY)
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def run(code):
    """Run a program, and return what it prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        env={**os.environ, "PURPOSEGUARD_TEST_KEY": KEY.decode()},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_purposeguard_alone_imports_no_sqlalchemy():
    """Who needs no store doesn't pay for one."""
    code = "import sys, purposeguard; print('sqlalchemy' in sys.modules, 'alembic' in sys.modules)"
    assert run(code) == "False False\n"


@pytest.mark.parametrize(
    ("module", "url", "extra"),
    [
        ("sqlalchemy", "sqlite://", "purposeguard[subjects]"),
        ("alembic", "sqlite://", "purposeguard[subjects]"),
        ("psycopg", "postgresql://host/x", "purposeguard[subjects,postgresql]"),
    ],
)
def test_what_is_not_installed_is_told_with_the_line_that_installs_it(module, url, extra):
    """As one error."""
    code = f"""
import os, sys
sys.modules[{module!r}] = None
try:
    from purposeguard.subjects.sql import SqlSubjects
    SqlSubjects({url!r}, key=os.environ["PURPOSEGUARD_TEST_KEY"].encode())
except Exception as error:
    print(type(error).__name__, error.__suppress_context__, error)
"""
    told = run(code)
    assert f"pip install '{extra}'" in told
    assert told.startswith(("SubjectStoreError True", "ImportError True"))


def test_postgresql_may_be_named_without_its_driver(tmp_path):
    """`postgresql://` is enough."""
    with place_in("postgresql", tmp_path) as place:
        plain = place.url.replace("postgresql+psycopg://", "postgresql://")
        assert plain != place.url
        with SqlSubjects(plain, key=KEY) as store:
            assert repr(store) == "SqlSubjects(postgresql)"
