"""Tagging, installing, and how tables are told apart."""

import subprocess
import sys
import time

import pytest
from sqlalchemy import (
    Column,
    Integer,
    MetaData,
    String,
    Table,
    create_engine,
    inspect,
    select,
    text,
)
from sqlalchemy.orm import DeclarativeBase, column_property, mapped_column
from sqlalchemy.pool import NullPool
from sqlalchemy_kit import (
    COMPILED,
    METADATA,
    accesses,
    engine_of,
    installed,
    new_guard,
    tables,
    url_of,
)
from staff_models import Base

from purposeguard import AccessDeniedError, Guard, ScopeError, UnknownNameError
from purposeguard.integrations.sqlalchemy import SQLAlchemyPurposes, tag
from purposeguard.testing import capture

WRONG = {
    "category": (tag("candidat", "name"), "`candidat` is no category", "candidate"),
    "item": (tag("candidate", "nome"), "`nome` is no item of `candidate`", "name"),
}


def metadata_with(info, *more):
    """Return metadata of one table `people` in a schema, with a tagged column `full_name`."""
    metadata = MetaData()
    Table("people", metadata, Column("full_name", String, info=info), *more, schema="hr")
    return metadata


@pytest.mark.parametrize("name", WRONG)
def test_a_tag_that_the_policy_lacks_names_the_column(name):
    """When the adapter is made, with the nearest name."""
    info, text_, nearest = WRONG[name]
    with pytest.raises(UnknownNameError) as caught:
        SQLAlchemyPurposes(new_guard(), metadata_with(info))
    assert str(caught.value).startswith(f"column `hr.people.full_name`: {text_}")
    assert caught.value.suggestion == nearest


@pytest.mark.parametrize("name", WRONG)
def test_without_a_policy_tags_are_judged_at_the_first_load(name):
    """With the place where the adapter was made, and the column."""
    info, text_, _ = WRONG[name]
    guard = Guard()
    SQLAlchemyPurposes(guard, metadata_with(info))
    line = sys._getframe().f_lineno - 1
    with pytest.raises(UnknownNameError) as caught:
        guard.load(COMPILED)
    assert str(caught.value).startswith(f"{__file__}:{line}, column `hr.people.full_name`: {text_}")


@pytest.mark.parametrize("given", [(3,), (b"candidate",), ("candidate", b"name"), (None,)])
def test_what_cant_be_a_name_is_refused_at_once(given):
    """By the tag itself."""
    with pytest.raises(UnknownNameError):
        tag(*given)


def test_a_tag_names_its_items_as_an_access_does():
    """One by one, or as a list; what is neither is told apart."""
    assert tag("candidate", items=["name"]) == tag("candidate", "name")
    with pytest.raises(UnknownNameError, match=r"a list stands where .*: write `items=\[…\]`"):
        tag("candidate", ["name"])
    with pytest.raises(UnknownNameError, match="names its items twice: leave out one"):
        tag("candidate", "name", items=["contact"])
    with pytest.raises(UnknownNameError, match="`items` is one name where a list belongs"):
        tag("candidate", items="name")


UNTAGGED = {
    "a bare key": {"purposeguard": "candidate"},
    "a name instead of names": {"purposeguard:candidate": "name"},
    "a list": {"purposeguard:candidate": ["name"]},
}


@pytest.mark.parametrize("name", UNTAGGED)
def test_an_info_that_only_looks_like_a_tag_is_refused(name):
    """Where the column is declared, and where the adapter is made."""
    fix = r"`hr\.people\.full_name` is no tag: write `info=tag\(\"candidate\", \"name\"\)`"
    with pytest.raises(UnknownNameError, match=fix):
        metadata_with(UNTAGGED[name])
    metadata = metadata_with(None)
    metadata.tables["hr.people"].c.full_name.info.update(UNTAGGED[name])
    with pytest.raises(UnknownNameError, match=fix):
        SQLAlchemyPurposes(new_guard(), metadata)


def test_a_tag_on_a_table_or_an_attribute_is_refused():
    """It is the column that a statement names."""

    class Base(DeclarativeBase): ...

    on_table = "table `candidates` has a tag, and .* unguarded: tag each column"
    with pytest.raises(ScopeError, match=on_table):

        class OnTable(Base):
            __tablename__ = "candidates"
            __table_args__ = ({"info": tag("candidate")},)
            id = mapped_column(Integer, primary_key=True)

    assert not Base.metadata.tables
    table = Table("candidates", MetaData())
    table.info.update(tag("candidate"))
    with pytest.raises(ScopeError, match=on_table):
        SQLAlchemyPurposes(new_guard(), table.metadata)

    with pytest.raises(ScopeError, match=r"the tag of `OnAttribute\.name` is not on its column"):

        class OnAttribute(Base):
            __tablename__ = "people"
            id = mapped_column(Integer, primary_key=True)
            name = column_property(Column(String), info=tag("candidate", "name"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((), "without metadata no column is known, and nothing is guarded: give `Base.metadata`"),
        (([METADATA],), "an object of type `list` is no metadata: give `Base.metadata`, or each"),
        ((METADATA.tables["jobs"],), "an object of type `Table` is no metadata: give"),
        ((int,), "an object of type `type` is no metadata: give"),
        ((None,), "an object of type `NoneType` is no metadata: give"),
    ],
)
def test_what_is_no_metadata_is_refused(given, said):
    """With what to give instead."""
    with pytest.raises(UnknownNameError) as caught:
        SQLAlchemyPurposes(new_guard(), *given)
    assert str(caught.value).startswith(said)


def test_what_is_no_guard_is_refused():
    """Arguments are swapped easily."""
    with pytest.raises(UnknownNameError, match="`MetaData` is no guard: give a `Guard` first"):
        SQLAlchemyPurposes(METADATA, new_guard())


def test_a_declarative_base_stands_for_its_metadata(tmp_path):
    """It is what most code has at hand."""
    with (
        engine_of("sqlite", tmp_path) as engine,
        installed(engine, new_guard(), Base),
        engine.connect() as connection,
        pytest.raises(AccessDeniedError),
    ):
        connection.execute(text("SELECT name FROM candidates"))


def test_the_columns_without_a_tag_are_listed():
    """For a test that compares them with those that hold nothing personal."""
    assert SQLAlchemyPurposes(new_guard(), METADATA).untagged() == [
        "jobs.id",
        "jobs.title",
        "candidates.id",
        "candidates.job_id",
        "employees.id",
        "employees.candidate_id",
        "files.id",
        "files.candidate_id",
        "Staff Notes.id",
    ]
    assert SQLAlchemyPurposes(new_guard(), MetaData()).untagged() == []


def test_statements_without_any_tag_are_told_of_once(tmp_path, caplog):
    """Tables may still come; until they do, nothing is guarded."""
    with engine_of("sqlite", tmp_path) as engine:
        for metadata, told in ((MetaData(), 1), (METADATA, 0)):
            caplog.clear()
            with installed(engine, new_guard(), metadata), engine.connect() as connection:
                for statement in ("SELECT id FROM jobs", "SELECT title FROM jobs"):
                    connection.execute(text(statement))
            assert caplog.text.count("no column of the metadata is tagged") == told


def test_tables_that_are_mapped_later_count(tmp_path):
    """A module that is imported late, and a column that is added to a table."""
    metadata = MetaData()
    jobs = Table("jobs", metadata, Column("id", Integer, primary_key=True), Column("title", String))
    with engine_of("sqlite", tmp_path) as engine:
        guard = new_guard()
        with installed(engine, guard, metadata), engine.connect() as connection:
            connection.execute(text("SELECT name FROM candidates"))
            Table("candidates", metadata, Column("name", String, info=tag("candidate", "name")))
            with pytest.raises(AccessDeniedError):
                connection.execute(text("SELECT name FROM candidates"))
            connection.execute(text("SELECT title FROM jobs"))
            jobs.append_column(
                Column("title", String, info=tag("employee", "name")), replace_existing=True
            )
            metadata.tables["candidates"].append_column(
                Column("email", String, info=tag("candidate", "contact"))
            )
            with pytest.raises(AccessDeniedError):
                connection.execute(text("SELECT email FROM candidates"))


def _extend(table):
    name = Column("name", String, info=tag("candidate", "name"))
    Table("candidates", table.metadata, name, extend_existing=True)


def _define_anew(table):
    metadata, columns = table.metadata, [each.name for each in table.columns]
    metadata.remove(table)
    tags = {"name": tag("candidate", "name")}
    Table("candidates", metadata, *(Column(each, String, info=tags.get(each)) for each in columns))


def _append(table):
    name = Column("name", String, info=tag("candidate", "name"))
    table.append_column(name, replace_existing=True)


@pytest.mark.parametrize("tag_late", [_extend, _define_anew, _append])
def test_a_tag_that_comes_late_counts_at_once(tmp_path, tag_late):
    """For a text that was read before, too: of a table that was reflected, or made anew."""
    metadata = MetaData()
    with engine_of("sqlite", tmp_path) as engine, installed(engine, new_guard(), metadata):
        metadata.reflect(engine)
        with engine.connect() as connection:
            for statement in ("SELECT name FROM candidates", "SELECT * FROM candidates"):
                connection.execute(text(statement))
            tag_late(metadata.tables["candidates"])
            for statement in ("SELECT name FROM candidates", "SELECT * FROM candidates"):
                with pytest.raises(AccessDeniedError):
                    connection.execute(text(statement))


@pytest.mark.parametrize(("statement", "seconds"), [("SELECT id, name", 0), ("SELECT name", 1.1)])
def test_a_tag_that_is_written_into_a_column_counts_too(tmp_path, statement, seconds):
    """At once for a text that is read anew, and after a second for one that was read before."""
    metadata = MetaData()
    with engine_of("sqlite", tmp_path) as engine, installed(engine, new_guard(), metadata):
        metadata.reflect(engine)
        with engine.connect() as connection:
            connection.execute(text("SELECT name FROM candidates"))
            metadata.tables["candidates"].c.name.info.update(tag("candidate", "name"))
            time.sleep(seconds)
            with pytest.raises(AccessDeniedError):
                connection.execute(text(f"{statement} FROM candidates"))


def test_a_column_of_a_class_of_its_own_counts_as_it_is_attached(tmp_path):
    """Whoever derives from `Column`."""

    class OwnColumn(Column):
        inherit_cache = True

    metadata = MetaData()
    table = Table("candidates", metadata, Column("id", Integer))
    with (
        engine_of("sqlite", tmp_path) as engine,
        installed(engine, new_guard(), metadata),
        engine.connect() as connection,
    ):
        connection.execute(text("SELECT name FROM candidates"))
        table.append_column(OwnColumn("name", String, info=tag("candidate", "name")))
        with pytest.raises(AccessDeniedError):
            connection.execute(text("SELECT name FROM candidates"))


def test_a_view_is_tagged_by_declaring_it(tmp_path):
    """Undeclared, it hides the table behind it: a known limit."""
    with engine_of("sqlite", tmp_path) as engine:
        with engine.begin() as connection:
            connection.execute(text("CREATE VIEW mails AS SELECT email AS mail FROM candidates"))
        guard = new_guard()
        with installed(engine, guard), engine.connect() as connection:
            connection.execute(text("SELECT mail FROM mails"))
        metadata = MetaData()
        mails = Table("mails", metadata, Column("mail", String, info=tag("candidate", "contact")))
        with (
            installed(engine, guard, METADATA, metadata),
            engine.connect() as connection,
            guard.purpose("hiring.selection"),
            capture(guard) as records,
        ):
            connection.execute(select(mails))
        assert accesses(records) == [("candidate", ("contact",), "use")]


def test_schemas_tell_tables_apart(tmp_path):
    """A table that is known in the schema named is that one, any other may be the known one."""
    metadata = MetaData()
    Table("people", metadata, Column("x", String, info=tag("candidate", "name")), schema="hr")
    Table("people", metadata, Column("x", String), schema="public")
    statements = {
        "SELECT x FROM hr.people": 1,
        "SELECT x FROM public.people": 0,
        "SELECT x FROM people": 1,
        "SELECT x FROM tenant.people": 1,
        "SELECT hr.people.x FROM hr.people, public.people": 1,
    }
    with url_of("postgresql", tmp_path) as url:
        engine = create_engine(url, poolclass=NullPool)
        guard = new_guard()
        with installed(engine, guard, metadata), engine.connect() as connection:
            for statement, denied in statements.items():
                with capture(guard) as records, pytest.raises(Exception, match=r"people|candidate"):
                    connection.execute(text(statement))
                connection.rollback()
                assert len(records) == denied


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_table_that_is_reflected_by_the_name_of_its_schema_stays_tagged(tmp_path, kind):
    """The default schema has a name, and a second table of it, without tags, is the same one."""
    metadata = tables(MetaData())
    with engine_of(kind, tmp_path) as engine, installed(engine, new_guard(), metadata):
        schema = inspect(engine).default_schema_name
        metadata.reflect(engine, schema=schema)
        reflected = metadata.tables[f"{schema}.candidates"]
        with engine.connect() as connection:
            for statement in (select(reflected), text(f"SELECT name FROM {schema}.candidates")):
                with pytest.raises(AccessDeniedError):
                    connection.execute(statement)


def test_translated_schemas_are_seen_through(tmp_path):
    """What a schema is translated to may be the name of another one."""
    metadata = MetaData()
    people = Table(
        "people", metadata, Column("x", String, info=tag("candidate", "name")), schema="a"
    )
    Table("people", metadata, Column("x", String), schema="b")
    with url_of("sqlite", tmp_path) as url:
        engine = create_engine(url)
        guard = new_guard()
        with installed(engine, guard, metadata), engine.connect() as connection:
            moved = connection.execution_options(schema_translate_map={"a": "b"})
            with pytest.raises(AccessDeniedError):
                moved.execute(select(people))
        engine.dispose()


def test_other_engines_are_refused(tmp_path):
    """By the name of their dialect, or for being none."""
    purposes = SQLAlchemyPurposes(new_guard(), METADATA)

    engine = create_engine("sqlite://")
    engine.dialect.name = "mysql"
    with pytest.raises(ScopeError, match="statements of `mysql` can't be read: install it on"):
        purposes.install(engine)
    with pytest.raises(ScopeError, match="`MetaData` is no engine: give what `create_engine`"):
        purposes.install(METADATA)


def test_installing_twice_checks_once_and_uninstalling_ends_it(tmp_path):
    """Both may be done again and again."""
    with engine_of("sqlite", tmp_path) as engine:
        guard = new_guard()
        purposes = SQLAlchemyPurposes(guard, METADATA)
        purposes.install(engine)
        purposes.install(engine)
        with capture(guard) as records, guard.purpose("hiring.selection"):
            for _ in range(2):
                with engine.connect() as connection:
                    connection.execute(text("SELECT name FROM candidates"))
                purposes.uninstall(engine)
                purposes.uninstall(engine)
        assert len(records) == 1


def test_options_of_an_engine_or_connection_change_nothing(tmp_path):
    """An engine that was made from the one installed on is checked too."""
    with engine_of("sqlite", tmp_path) as engine:
        guard = new_guard()
        with installed(engine, guard):
            other = engine.execution_options(isolation_level="AUTOCOMMIT")
            with other.connect() as connection, pytest.raises(AccessDeniedError):
                connection.execute(text("SELECT name FROM candidates"))


def test_an_engine_and_its_options_are_checked_once(tmp_path):
    """Whichever of them the adapter is installed on, and whichever is used."""
    with engine_of("sqlite", tmp_path) as engine:
        guard = new_guard()
        options = engine.execution_options(isolation_level="AUTOCOMMIT").execution_options(x=1)
        for first in (engine, options):
            purposes = SQLAlchemyPurposes(guard, METADATA)
            purposes.install(first)
            purposes.install(options)
            purposes.install(engine)
            for each in (engine, options, engine.execution_options(later=True)):
                with (
                    each.connect() as connection,
                    capture(guard) as records,
                    guard.purpose("hiring.selection"),
                ):
                    connection.execute(text("SELECT name FROM candidates"))
                assert len(records) == 1
            purposes.uninstall(options)
            with engine.connect() as connection:
                connection.execute(text("SELECT name FROM candidates"))


def test_a_guard_is_installed_once(tmp_path):
    """A second adapter would record each access again."""
    with engine_of("sqlite", tmp_path) as engine:
        guard = new_guard()
        with installed(engine, guard):
            with pytest.raises(ScopeError, match="checks the engine already: give all metadata to"):
                SQLAlchemyPurposes(guard, METADATA).install(engine)
            with (
                engine.connect() as connection,
                capture(guard) as records,
                guard.purpose("hiring.selection"),
            ):
                connection.execute(text("SELECT name FROM candidates"))
        assert len(records) == 1
        with (
            installed(engine, guard),
            engine.connect() as connection,
            pytest.raises(AccessDeniedError),
        ):
            connection.execute(text("SELECT name FROM candidates"))


def test_two_guards_judge_one_engine(tmp_path):
    """Each by its own purposes."""
    with engine_of("sqlite", tmp_path) as engine:
        first, second = new_guard(), new_guard()
        with installed(engine, first), installed(engine, second), engine.connect() as connection:
            with first.purpose("hiring.selection"), pytest.raises(AccessDeniedError):
                connection.execute(text("SELECT name FROM candidates"))
            with first.purpose("hiring.selection"), second.purpose("hiring.selection"):
                connection.execute(text("SELECT name FROM candidates"))


def test_purposeguard_alone_imports_neither_sqlalchemy_nor_sqlglot():
    """They belong to the adapter."""
    code = (
        "import sys, purposeguard\n"
        "print(sorted({'sqlalchemy', 'sqlglot'} & sys.modules.keys()))\n"
        "import purposeguard.integrations.sql.reading\n"
        "print('sqlalchemy' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.split("\n")[:2] == ["[]", "False"]
