"""Reading texts: what is kept of them, and what no parser can take."""

import logging

import pytest
from sqlalchemy import Column, MetaData, String, Table
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
    ],
    "postgresql": [
        ("SELECT id FROM candidates WHERE name IN ({})", "%(name_1_{n})s::VARCHAR", "percent"),
        ("SELECT id FROM candidates WHERE name IN ({})", "${n}::VARCHAR(20)", ""),
        ("INSERT INTO candidates (id, name) VALUES {}", "(%(a{n})s::INTEGER, %(b{n})s)", "percent"),
        ("INSERT INTO candidates (id, name) VALUES {}", "(${n}::INTEGER, ${n}1::VARCHAR)", ""),
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


def test_a_name_that_reads_like_a_list_is_left_whole():
    """It is looked for as it is written."""
    metadata = MetaData()
    Table("t", metadata, Column("(?), (?)", String, info=tag("candidate", "name")))
    reader = Reader(Tables((metadata,)).catalog(), "sqlite")
    assert touches(reader.read('SELECT "(?), (?)" FROM t')) == NAME


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
