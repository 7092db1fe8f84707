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


NAMES = ("name", "email", "salary", "title", "candidates")
"""What sources and columns may be called besides: as columns and tables are."""


@st.composite
def spelled(draw, name):
    """Yield a name as SQLite takes it for the same."""
    form = draw(st.sampled_from(["{}", "{}", '"{}"', "`{}`", "[{}]"]))
    return form.format(draw(st.sampled_from([name, name.upper(), name.title()])))


@st.composite
def queries(draw, depth=2, around=()):
    """Yield a query over aliased tables and inner queries, and the names of its columns.

    `around` are the aliases that an inner query may name, with their columns.
    """
    sources, froms = [], []
    for number in range(draw(st.integers(1, 2))):
        taken = {alias for alias, _ in (*sources, *around)}
        alias = draw(st.sampled_from([f"t{depth}{len(around)}{number}", *sorted({*NAMES} - taken)]))
        if depth and draw(st.booleans()):
            text, names = draw(queries(depth=depth - 1))
            froms.append(f"({text}) AS {draw(spelled(alias))}")
        else:
            table = draw(st.sampled_from(sorted(COLUMNS)))
            names = COLUMNS[table]
            froms.append(f"{draw(spelled(table))} AS {draw(spelled(alias))}")
        sources.append((alias, names))
    seen = [*sources, *around]
    plain = draw(st.sampled_from(["one", "star", "all"]))
    made = plain if len(sources) == 1 else "one"
    fresh = [f"x{depth}{len(around)}{n}" for n in range(2)]
    given = draw(st.lists(st.sampled_from([*fresh, *NAMES]), min_size=1, max_size=2, unique=True))

    def column(among=tuple(seen)):
        alias, names = draw(st.sampled_from(among))
        name = draw(st.sampled_from(names))
        if (alias, names) in sources:
            bare = sum(name in each for _, each in sources) == 1
        else:
            bare = sum(name in each for _, each in seen) == 1 and name not in given
        text = draw(spelled(name))
        return text if bare and draw(st.booleans()) else f"{draw(spelled(alias))}.{text}"

    def term(left):
        kind = draw(st.sampled_from("ccclfssswne"))
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

    if made == "star":
        listed, names = f"{draw(spelled(sources[0][0]))}.*", sources[0][1]
    elif made == "all":
        listed, names = "*", sources[0][1]
    else:
        names = tuple(given)
        terms = [f"{term(depth)} AS {draw(spelled(name))}" for name in names]
        terms += draw(st.lists(st.sampled_from(["'email'", "'salary'", "'id'"]), max_size=2))
        listed = ", ".join(draw(st.permutations(terms)))
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
