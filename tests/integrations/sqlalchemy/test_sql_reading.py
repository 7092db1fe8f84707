"""Reading texts: what is kept of them, and what no parser can take."""

import logging
import signal

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table
from sqlalchemy_kit import METADATA
from sqlite_oracle import CATALOG

from purposeguard.integrations.sql.reading import Reader
from purposeguard.integrations.sqlalchemy import tag
from purposeguard.integrations.sqlalchemy_tags import Tables

NAME = [("candidate", ("name",), None)]


def touches(reading):
    """Return what a reading says is touched."""
    return [(each.category, each.items, each.operation) for each in reading.touches]


@pytest.fixture(params=["sqlite", "postgresql"])
def reader(request):
    """A reader of each dialect."""
    return Reader(CATALOG, request.param)


def test_a_text_is_read_once(reader):
    """The second time it is remembered."""
    first = reader.read("SELECT name FROM candidates")
    assert reader.read("SELECT name FROM candidates") is first
    assert reader.read_anew == 1


LISTS = {
    "sqlite": [
        ("SELECT id FROM candidates WHERE name IN ({})", "?", {}),
        ("INSERT INTO candidates (id, name) VALUES {}", "(?, ?)", {}),
        ("INSERT INTO candidates (id, name) VALUES {}", "(?, lower(hex(?)))", {}),
        ("SELECT id FROM candidates WHERE name IN ({})", "{n}", {}),
        ("SELECT id FROM candidates WHERE (id, name) IN (VALUES {})", "(?, ?)", {}),
    ],
    "postgresql": [
        ("SELECT id FROM candidates WHERE name IN ({})", "%(name_1_{n})s::VARCHAR", "percent"),
        ("SELECT id FROM candidates WHERE name IN ({})", "${n}::VARCHAR(20)", ""),
        ("INSERT INTO candidates (id, name) VALUES {}", "(%(a{n})s::INTEGER, %(b{n})s)", "percent"),
        ("INSERT INTO candidates (id, name) VALUES {}", "(${n}::INTEGER, ${n}1::VARCHAR)", ""),
        ("INSERT INTO candidates (id, name) VALUES {}", "({n}, lower(trim('{n}')))", ""),
        ("SELECT id FROM candidates WHERE name = ANY (ARRAY[{}])", "'{n}'::VARCHAR", ""),
        ("SELECT id FROM candidates WHERE (id, name) IN ({})", "({n}, $1)", ""),
    ],
}


@pytest.mark.parametrize(
    ("dialect", "place"), [(d, n) for d in LISTS for n in range(len(LISTS[d]))]
)
def test_lists_of_any_length_are_read_once(dialect, place):
    """However many values are asked for or stored, and however long the text."""
    text, value, percent = LISTS[dialect][place]
    reader = Reader(CATALOG, dialect)
    readings = {
        reader.read(
            text.format(", ".join(value.replace("{n}", str(n)) for n in range(1, count + 1))),
            percent=bool(percent),
        )
        for count in (2, 3, 50, 5000)
    }
    assert len(readings) == 1
    assert [each[1] for each in touches(readings.pop())] == [("name",)]


def test_a_long_text_is_read_once():
    """Also where nothing in it can be left out."""
    reader = Reader(CATALOG, "sqlite")
    text = f"SELECT {', '.join(f'name AS n{n}' for n in range(2000))} FROM candidates"
    first = reader.read(text)
    assert touches(first) == NAME
    assert reader.read(text) is first


@pytest.mark.parametrize("name", ["(?), (?)", "a$2", "$2", "é$2", "in (1, 2)"])
@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_name_that_reads_like_values_is_left_whole(dialect, name):
    """It is looked for as it is written, of a column and of a table."""
    metadata = MetaData()
    for table, column in (("t", name), (name, "y")):
        Table(table, metadata, Column(column, String, info=tag("candidate", "name")))
    reader = Reader(Tables((metadata,)).catalog(), dialect)
    assert touches(reader.read(f'SELECT "{name}" FROM t')) == NAME
    assert touches(reader.read(f'SELECT * FROM "{name}"')) == NAME
    assert touches(reader.read(f'SELECT "{name}1" FROM t')) == []


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_a_dollar_may_stand_in_a_name_without_quotes(dialect):
    """As both databases have it."""
    metadata = MetaData()
    Table("t$1", metadata, Column("é$2", String, info=tag("candidate", "name")))
    reader = Reader(Tables((metadata,)).catalog(), dialect)
    assert touches(reader.read("SELECT é$2 FROM t$1")) == NAME
    assert touches(reader.read("DELETE FROM t$1")) == [("candidate", ("name",), "erase")]
    assert touches(reader.read("SELECT * FROM t$2")) == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT ('), ('), name, ('), (') FROM candidates",
        "SELECT id FROM jobs, candidates WHERE title IN ('), (') OR name = '' OR id IN ('), (')",
        "SELECT (SELECT 1) -- (name)\n, (name) FROM candidates",
        "SELECT (SELECT 1) /* (name) */, (name) FROM candidates",
        "SELECT 1 IN (1, 2 -- )\n, length(name)) FROM candidates",
        "SELECT 1 IN (1, 2 /* , 3 */, length(name)) FROM candidates",
        "SELECT 1 IN (length('x'), length('y'), length(name)) FROM candidates",
        "SELECT 1 FROM candidates WHERE id IN (1, 2) AND (id, name) IN (VALUES (1, '2'), (3, ','))",
        "INSERT INTO jobs (id, title) VALUES (1, 1), (2, 2), (3, (SELECT name FROM candidates))",
    ],
)
def test_what_stands_between_lists_is_kept(reader, text):
    """Strings and comments are none of them, and what names something is no value."""
    assert touches(reader.read(text)) == NAME


def test_names_are_compared_as_databases_cut_them_off():
    """PostgreSQL looks at no more than 63 bytes."""
    metadata = MetaData()
    Table("é" * 31 + "x", metadata, Column("y", String, info=tag("candidate", "name")))
    reader = Reader(Tables((metadata,)).catalog(), "postgresql")
    assert touches(reader.read(f'SELECT y FROM "{"é" * 31}xtra"')) == NAME
    assert touches(reader.read(f'SELECT y FROM "{"é" * 30}"')) == []


@pytest.mark.parametrize(
    "text",
    [
        "SELECT name FROM candidates WHERE " + "(" * 3000 + "1" + ")" * 3000,
        "SELECT 'never closed FROM candidates",
        'SELECT "never closed FROM candidates',
        "SELECT /* never closed FROM candidates",
        "SELECT name FROM candidates)",
        "\0SELECT name FROM candidates",
        "SELECT name FROM candidates JOIN",
        "candidates",
        "WITH s AS (SELECT 1) candidates",
        "DELETE",
        "candidates; SELECT 1",
        "SELECT 1; candidates",
    ],
)
def test_what_cant_be_parsed_is_hidden(reader, text, caplog):
    """Nothing is raised, nothing is logged, and nothing is permitted."""
    with caplog.at_level(logging.DEBUG):
        reading = reader.read(text)
    assert reading.cause
    assert "candidate" in [each.category for each in reading.touches]
    assert caplog.text == ""


def test_a_text_that_was_once_too_deep_is_read_from_elsewhere(reader):
    """How deep Python may still go is no property of the text."""
    text = "SELECT name FROM candidates WHERE " + "(" * 30 + "1 = 1" + ")" * 30

    def at_the_bottom():
        try:
            return at_the_bottom() or reader.read(text)
        except RecursionError:
            return None

    assert "recursion" in at_the_bottom().cause
    assert touches(reader.read(text)) == NAME


@pytest.mark.parametrize(
    "text",
    [
        "SELECT id FROM candidates WHERE " + " OR ".join(["name = 'x'"] * 2000),
        "SELECT id FROM candidates WHERE " + " AND ".join(["name = 'x'"] * 2000),
        "SELECT " + " || ".join(["name"] * 2000) + " FROM candidates",
        " UNION ALL ".join(["SELECT name FROM candidates"] * 500),
    ],
)
def test_long_chains_are_read(reader, text):
    """What is written side by side is no deeper for its length."""
    assert touches(reader.read(text)) == NAME


def test_what_a_signal_handler_raises_is_the_programs(reader, monkeypatch):
    """A time limit that strikes while a text is read is not lost, and not remembered."""

    def over(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, over)
    try:
        with monkeypatch.context() as patch:
            striking = lambda *_: signal.raise_signal(signal.SIGALRM)  # noqa: E731
            patch.setattr("purposeguard.integrations.sql.reading.parts", striking)
            with pytest.raises(TimeoutError):
                reader.read("SELECT name FROM candidates")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert touches(reader.read("SELECT name FROM candidates")) == NAME


def test_a_failure_that_says_nothing_of_the_text_is_not_remembered(reader, monkeypatch):
    """It may be read another time."""
    with monkeypatch.context() as patch:
        patch.setattr("purposeguard.integrations.sql.reading.parts", lambda *_: 1 / 0)
        assert reader.read("SELECT name FROM candidates").cause
    assert touches(reader.read("SELECT name FROM candidates")) == NAME


@pytest.mark.parametrize("unit", ["cycle", '"Cycle"'])
def test_a_column_that_the_parser_takes_for_a_word_of_sql_is_read(unit):
    """One that says what to cut a time to."""
    metadata = MetaData()
    Table("t", metadata, Column(unit.strip('"'), String, info=tag("candidate", "name")))
    reader = Reader(Tables((metadata,)).catalog(), "postgresql")
    assert touches(reader.read(f"SELECT date_trunc({unit}, now()) FROM t")) == NAME
    hidden = f"SELECT (SELECT date_trunc({unit}, now()) FROM (SELECT 1 AS cycle) AS s) FROM t"
    assert touches(reader.read(hidden)) == NAME


@pytest.mark.parametrize(
    "text",
    [
        "SELECT date_trunc('month', now()), date_part('month', now()) FROM t",
        "SELECT EXTRACT(month FROM now()), extract('month' from now()) FROM t",
        "SELECT interval '1 month', interval '1' month, now() - interval '1 month' FROM t",
    ],
)
def test_a_part_of_a_time_is_no_column(text):
    """Where it can be nothing else."""
    metadata = MetaData()
    Table("t", metadata, Column("month", String, info=tag("candidate", "name")))
    reader = Reader(Tables((metadata,)).catalog(), "postgresql")
    assert touches(reader.read(text)) == []
    assert touches(reader.read(text.replace("now()", "month::timestamp"))) == (
        NAME if "now" in text else []
    )


@pytest.mark.parametrize("name", ["rowid", "ROWID", "oid", "_rowid_"])
def test_the_key_of_a_table_is_read_by_its_names_in_sqlite(name):
    """If it is tagged, and the only one."""
    metadata = MetaData()
    person = tag("candidate", "name")
    Table("t", metadata, Column("number", Integer, primary_key=True, info=person))
    Table(
        "two",
        metadata,
        Column("a", Integer, primary_key=True, info=person),
        Column("b", Integer, primary_key=True, info=person),
    )
    Table("named", metadata, Column("a", Integer, primary_key=True, info=person), Column(name))
    reader = Reader(Tables((metadata,)).catalog(), "sqlite")
    assert touches(reader.read(f"SELECT {name} FROM t")) == NAME
    assert touches(reader.read(f"SELECT x.{name} FROM t AS x")) == NAME
    assert (
        touches(reader.read(f"SELECT (SELECT {name} FROM (SELECT {name} FROM t)) FROM t")) == NAME
    )
    assert touches(reader.read(f"UPDATE t SET {name} = 2")) == [("candidate", ("name",), "store")]
    assert touches(reader.read(f"INSERT INTO t ({name}) VALUES (2)")) == [
        ("candidate", ("name",), "store")
    ]
    assert touches(reader.read(f"SELECT {name} FROM two")) == []
    assert touches(reader.read(f"SELECT {name} FROM named")) == []


def test_only_a_query_by_itself_surely_changes_nothing(reader):
    """What else can't be told may store, which an access that only uses doesn't cover."""

    def operations(text):
        return {each[2] for each in touches(reader.read(text))}

    assert operations("SELECT name FROM candidates JOIN") == {None}
    assert operations("SELECT name FROM candidates JOIN; DELETE FROM candidates") == {"store"}
    assert operations("WITH s AS (DELETE FROM candidates) SELECT name FROM candidates JOIN") == {
        "store"
    }


@pytest.mark.parametrize("start", ["/* a license */\n", "-- a license\n", " \n"])
def test_long_comments_are_read_in_no_time(start):
    """Not in a time that doubles with each."""
    text = start * 5000 + "SELECT name FROM candidates"
    assert touches(Reader(CATALOG, "sqlite").read(text)) == NAME


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text", ["%(", "[", "/*", "'", '"', "`", "$", "$a", "(", "IN (", "VALUES ("]
)
def test_what_never_ends_is_given_up_in_no_time(reader, text):
    """Not in a time that grows with the square of its length."""
    reading = reader.read("SELECT name FROM candidates " + text * 100_000, percent=True)
    assert [each.category for each in reading.touches] == ["candidate"]


def test_what_the_parser_warns_of_is_not_logged(caplog):
    """Its warnings quote the text."""
    reader = Reader(CATALOG, "postgresql")
    with caplog.at_level(logging.DEBUG):
        assert reader.read("COPY candidates FROM STDIN WHERE name = 'Mika Example'").cause
        assert reader.read("TRUNCATE candidates 'Mika Example'").cause
    assert caplog.text == ""


def test_other_users_of_sqlglot_keep_their_log(caplog):
    """Only what is read here is kept out of it."""
    import sqlglot

    with caplog.at_level(logging.WARNING):
        sqlglot.parse_one("REPLACE INTO elsewhere VALUES (1)", read="sqlite")
    assert "unsupported syntax" in caplog.text


def test_a_name_that_the_parser_loses_counts_as_read():
    """A column that is called like a function of SQL's own."""
    metadata = MetaData()
    Table("t", metadata, Column("current_user", String, info=tag("candidate", "name")))
    reader = Reader(Tables((metadata,)).catalog(), "sqlite")
    assert touches(reader.read("SELECT current_user FROM t")) == NAME
    assert touches(reader.read("SELECT 1 FROM t")) == []


def test_only_the_tables_that_are_tagged_cost_anything():
    """A text that names none of them has nothing to judge."""
    assert {each.name for each in METADATA.tables.values()} > {"jobs"}
    assert Reader(CATALOG, "sqlite").read("SELECT * FROM jobs, elsewhere").touches == ()


UNSEEN = {
    "sqlite": [
        # a query in brackets after IN is no list of values
        (
            "SELECT 1 FROM jobs WHERE (101, 'x', 2) IN (SELECT 1, name, 2 FROM "
            "(SELECT 1 AS name) s UNION SELECT 101, name, 2 FROM candidates)"
        ),
        (
            "SELECT id FROM jobs WHERE (101, 1, 2) IN (SELECT 101, candidates, 2 FROM "
            "(SELECT 1 AS candidates) x, candidates, jobs j WHERE name LIKE 'M%')"
        ),
        # a table of a name, but without the column, is looked past
        "SELECT (SELECT c.name FROM jobs c LIMIT 1) FROM candidates c",
        "WITH c AS (SELECT 1 AS id) SELECT (SELECT c.name FROM c) FROM candidates c",
        # a table that is read like a function
        "SELECT name FROM candidates('x')",
        "SELECT c.name FROM candidates('x') c",
        # what SQLGlot takes for a blank, or for brackets of its own
        "SELECT (SELECT name FROM (SELECT 1 AS\xa0name) s) FROM candidates",
        "SELECT $a('), name, $b(') FROM candidates",
        "SELECT id AS name FROM candidates ORDER BY +name",
        "SELECT id AS name FROM candidates ORDER BY id, + + name",
    ],
    "postgresql": [
        (
            "SELECT 1 FROM jobs WHERE (101, 'x', 2) IN (SELECT 1, name, 2 FROM "
            "(SELECT ''::text AS name) s UNION SELECT 101, name, 2 FROM candidates)"
        ),
        # what stands further right in FROM can't be seen yet
        (
            "SELECT (SELECT x FROM json_array_elements_text(to_json(ARRAY[name])) x, "
            "(SELECT 1 AS name) s) FROM candidates"
        ),
        "SELECT (SELECT x FROM LATERAL (SELECT name AS x) y, (SELECT 1 AS name) s) FROM candidates",
        (
            "SELECT (SELECT count(*) FROM jobs j JOIN jobs k ON name = 'x', (SELECT 1 AS name) s) "
            "FROM candidates"
        ),
        (
            "SELECT (SELECT count(*) FROM jobs j JOIN jobs k ON c.name = 'x', "
            "(SELECT 1 AS name) c) FROM candidates c"
        ),
        (
            "UPDATE jobs SET title = (SELECT x FROM LATERAL (SELECT name AS x) y, "
            "(SELECT 1 AS name) s LIMIT 1) FROM candidates WHERE candidates.job_id = jobs.id "
            "RETURNING title"
        ),
        "SELECT (SELECT name FROM (SELECT 1 AS\xa0name) s) FROM candidates",
        "SELECT id FROM candidates WHERE 13 IN (1, 1--\r+length(name)\n)",
        "SELECT * FROM crosstab2('select 1, 2, na'||'me from candi'||'dates')",
        "SELECT id AS name FROM candidates ORDER BY +name",
    ],
}


@pytest.mark.parametrize(
    ("dialect", "text"), [(each, text) for each in UNSEEN for text in UNSEEN[each]]
)
def test_a_column_that_is_read_in_an_unusual_way_is_seen(dialect, text):
    """By name, or as a text of which nothing can be told."""
    reading = Reader(CATALOG, dialect).read(text)
    read = {item for each in reading.touches for item in each.items or ["name"]}
    assert "name" in read


def test_a_column_called_like_a_word_of_sql_is_no_such_word():
    """`OVERRIDING … VALUE` is three words only with SYSTEM or USER between."""
    metadata = MetaData()
    Table("notes", metadata, Column("value", String, info=tag("candidate", "name")))
    reader = Reader(Tables((metadata,)).catalog(), "postgresql")
    assert touches(reader.read("SELECT id overriding, value FROM notes")) == NAME


@pytest.mark.parametrize(
    "text",
    [
        (
            "SELECT id, query_to_xml('select salary from emplo'||'yees', true, true, '') "
            "FROM ONLY (candidates)"
        ),
        'SELECT id, U&"n\\0061me" FROM ONLY (candidates)',
    ],
)
def test_a_text_that_can_not_be_parsed_may_touch_what_it_does_not_spell(text):
    """Where it runs a text, or writes a name in escapes."""
    reading = Reader(CATALOG, "postgresql").read(text)
    assert {each.category for each in reading.touches} == {*CATALOG.categories}


def test_strange_blanks_in_values_are_nothing_strange(reader):
    """Such as the blank of Japanese, between names or in a comment."""
    text = "SELECT id /* \u3000 */ FROM candidates WHERE email = 'Mika\u3000Example' -- \u3000"
    assert [each.items for each in reader.read(text).touches] == [("contact",)]
