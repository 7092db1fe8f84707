"""Queries made at random, against SQLite's own word on what it reads."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy_kit import METADATA, engine_of
from sqlite_oracle import CATALOG, Oracle, touched

from effort import effort
from purposeguard.integrations.sql.reading import Reader

COLUMNS = {
    "candidates": ("id", "name", "email", "history", "job_id"),
    "employees": ("id", "name", "salary", "candidate_id"),
    "jobs": ("id", "title"),
}


@pytest.fixture(scope="module")
def oracle(tmp_path_factory):
    """SQLite itself."""
    with (
        engine_of("sqlite", tmp_path_factory.mktemp("oracle"), METADATA) as engine,
        Oracle(engine.url.database) as oracle,
    ):
        yield oracle


@st.composite
def queries(draw, depth=2, around=()):
    """Yield a query over aliased tables and inner queries, and the names of its columns.

    `around` are the aliases that an inner query may name, with their columns.
    """
    sources, froms = [], []
    for number in range(draw(st.integers(1, 2))):
        alias = f"t{depth}{len(around)}{number}"
        if depth and draw(st.booleans()):
            text, names = draw(queries(depth=depth - 1))
            froms.append(f"({text}) AS {alias}")
        else:
            table = draw(st.sampled_from(sorted(COLUMNS)))
            names = COLUMNS[table]
            froms.append(f"{table} AS {alias}")
        sources.append((alias, names))
    seen = [*sources, *around]

    def column(among=tuple(seen)):
        alias, names = draw(st.sampled_from(among))
        name = draw(st.sampled_from(names))
        known = sum(name in each for _, each in sources)
        bare = known == 1 if (alias, names) in sources else not known and len(among) == len(seen)
        bare = bare and sum(name in each for _, each in seen) == 1
        return name if bare and draw(st.booleans()) else f"{alias}.{name}"

    def term(left):
        kind = draw(st.sampled_from("ccclfswne"))
        if kind == "l":
            return "'name'"
        if kind == "f":
            return f"lower({column()})"
        if kind == "s" and left:
            text, _ = draw(queries(depth=left - 1, around=tuple(seen)))
            return f"(SELECT count(*) FROM ({text}))" if draw(st.booleans()) else f"EXISTS ({text})"
        if kind == "w":
            return f"CASE WHEN {column()} IS NULL THEN {column()} ELSE 1 END"
        if kind == "n":
            return "count(*) OVER ()"
        if kind == "e":
            return f"{column()} || {column()}"
        return column()

    plain = st.sampled_from(["one", "star", "all"])
    made = draw(plain)
    if made == "star" and len(sources) == 1:
        listed, names = f"{sources[0][0]}.*", sources[0][1]
    elif made == "all" and len(sources) == 1:
        listed, names = "*", sources[0][1]
    else:
        names = tuple(f"x{depth}{len(around)}{n}" for n in range(draw(st.integers(1, 2))))
        listed = ", ".join(f"{term(depth)} AS {name}" for name in names)
    text = f"SELECT {listed} FROM {' CROSS JOIN '.join(froms)}"
    if draw(st.booleans()):
        text += f" WHERE {column()} = {column()}"
    if draw(st.booleans()):
        text += f" ORDER BY {column(sources)}"  # SQLite looks no further there
    return text, names


@settings(max_examples=effort(300, 3000, 30_000), deadline=None)
@given(queries())
def test_what_is_told_of_a_query_is_what_sqlite_reads(oracle, query):
    """Neither less, which would let data out, nor more, which would deny what is granted."""
    text, _ = query
    reader = Reader(CATALOG, "sqlite")
    reading = reader.read(text)
    assert reading.cause == ""
    assert touched(reading) == oracle.reads(text)
