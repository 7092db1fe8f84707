"""What an application does through SQLAlchemy, on both databases: one access for each statement."""

import pytest
from sqlalchemy import (
    case,
    delete,
    exists,
    func,
    insert,
    inspect,
    literal_column,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import (
    Session,
    aliased,
    contains_eager,
    defer,
    joinedload,
    load_only,
    selectinload,
    subqueryload,
    undefer,
    with_loader_criteria,
)
from sqlalchemy_kit import EVERYTHING, ROWS, accesses, engine_of, installed, new_guard, sent_to
from staff_models import Base, Candidate, Employee, Job

from purposeguard.testing import capture

ALL = ("contact", "name", "work_history")
CANDIDATE = ("candidate", ALL, "use")
"""A candidate loaded as a whole."""
NAME = ("candidate", ("name",), "use")
ROWS = tuple(row for row in ROWS if "Staff" not in row and "files" not in row)


@pytest.fixture(params=["sqlite", "postgresql"], scope="module")
def engine(request, tmp_path_factory):
    """A database of each kind."""
    directory = tmp_path_factory.mktemp("staff")
    with engine_of(request.param, directory, Base.metadata, ROWS) as engine:
        yield engine


@pytest.fixture
def guard(engine):
    """A guard that grants everything for `payroll`, installed on the engine."""
    guard = new_guard(EVERYTHING)
    with installed(engine, guard, Base.metadata):
        yield guard


@pytest.fixture
def did(engine, guard):
    """Do something in a session, take it back, and return the accesses that were recorded."""

    def did(work):
        with (
            guard.purpose("payroll"),
            Session(engine) as session,
            capture(guard) as records,
            sent_to(engine) as statements,
        ):
            work(session)
            session.flush()
            session.rollback()
        assert statements, "nothing was executed"
        assert {each.file for each in records} <= {__file__}
        return accesses(records)

    return did


def of_one(select_):
    """Return work that executes one statement."""
    return lambda session: session.execute(select_).unique().all()


READS = {
    "entity": (select(Candidate), [CANDIDATE]),
    "columns": (select(Candidate.id, Candidate.name), [NAME]),
    "nothing personal": (select(Candidate.id, Job.title).join(Job), []),
    "a deferred column is left out": (select(Employee), [("employee", ("name",), "use")]),
    "undefer": (
        select(Employee).options(undefer(Employee.salary)),
        [("employee", ("name", "salary"), "use")],
    ),
    "load_only": (select(Candidate).options(load_only(Candidate.name)), [NAME]),
    "defer": (
        select(Candidate).options(defer(Candidate.history)),
        [("candidate", ("contact", "name"), "use")],
    ),
    "where": (
        select(Candidate.id).where(Candidate.email == "x"),
        [("candidate", ("contact",), "use")],
    ),
    "order": (select(Candidate.id).order_by(Candidate.name.desc()), [NAME]),
    "function": (select(func.lower(Candidate.name)), [NAME]),
    "a percent sign of the database's": (
        select(Employee.salary % 2),
        [("employee", ("salary",), "use")],
    ),
    "count": (select(func.count()).select_from(Candidate), []),
    "hybrid": (select(Candidate.id).where(Candidate.shout == "X"), [NAME]),
    "column_property": (select(Employee.rich), [("employee", ("salary",), "use")]),
    "joined load": (select(Job).options(joinedload(Job.candidates)), [CANDIDATE]),
    "joined load of a part": (
        select(Job).options(joinedload(Job.candidates).load_only(Candidate.name)),
        [NAME],
    ),
    "contains_eager": (
        select(Job).join(Job.candidates).options(contains_eager(Job.candidates)),
        [CANDIDATE],
    ),
    "alias": (select(aliased(Candidate).name), [NAME]),
    "two entities": (
        select(Candidate, Employee).join(Employee),
        [CANDIDATE, ("employee", ("name",), "use")],
    ),
    "any()": (select(Job.id).where(Job.candidates.any(Candidate.name == "x")), [NAME]),
    "exists()": (select(exists().where(Candidate.name == "x").correlate(None)), [CANDIDATE]),
    "exists() of something": (select(select(1).where(Candidate.name == "x").exists()), [NAME]),
    "subquery": (select(select(Candidate.name, Candidate.id).subquery().c.id), [NAME]),
    "cte": (select(select(Candidate.name).cte("s")), [NAME]),
    "scalar subquery": (
        select(
            Job.id,
            select(func.max(Candidate.name)).where(Candidate.job_id == Job.id).scalar_subquery(),
        ),
        [NAME],
    ),
    "union": (
        union_all(select(Candidate.name), select(Employee.name)),
        [NAME, ("employee", ("name",), "use")],
    ),
    "window": (select(func.row_number().over(order_by=Candidate.name)), [NAME]),
    "case": (
        select(case((Candidate.email == "x", 1), else_=2)),
        [("candidate", ("contact",), "use")],
    ),
    "in": (select(Candidate.id).where(Candidate.name.in_(["a", "b", "c"])), [NAME]),
    "text": (text("SELECT name FROM candidates WHERE id = :id").bindparams(id=101), [NAME]),
    "text with a percent sign": (text("SELECT id FROM candidates WHERE name LIKE '%a%'"), [NAME]),
    "from_statement": (
        select(Candidate).from_statement(text("SELECT * FROM candidates")),
        [CANDIDATE],
    ),
    "literal_column": (
        select(literal_column("email")).select_from(Candidate),
        [("candidate", ("contact",), "use")],
    ),
    "with_loader_criteria": (
        select(Job).options(
            joinedload(Job.candidates).load_only(Candidate.id),
            with_loader_criteria(Candidate, Candidate.name == "x"),
        ),
        [NAME],
    ),
    "distinct": (select(Candidate.name).distinct(), [NAME]),
    "group by": (
        select(func.count())
        .select_from(Candidate)
        .group_by(Candidate.name)
        .having(func.max(Candidate.email) > "a"),
        [("candidate", ("contact", "name"), "use")],
    ),
    "for update": (select(Candidate.id).with_for_update(), []),
    "limit": (select(Candidate.name).limit(1).offset(1), [NAME]),
}


@pytest.mark.parametrize("name", READS)
def test_a_query_is_one_access_for_each_category(did, name):
    """With the items of the columns that it reads, wherever in it they stand."""
    statement, expected = READS[name]
    assert did(of_one(statement)) == expected


def test_a_lazy_load_is_an_access(did):
    """So is what it is loaded from."""

    def work(session):
        session.get(Candidate, 101).hired.name

    assert did(work) == [CANDIDATE, ("employee", ("name",), "use")]


def test_a_deferred_column_is_an_access_of_its_own_when_it_is_loaded(did):
    """Of that column alone."""

    def work(session):
        session.get(Employee, 101).salary

    assert did(work) == [("employee", ("name",), "use"), ("employee", ("salary",), "use")]


@pytest.mark.parametrize("load", [selectinload, subqueryload])
def test_a_load_in_a_second_statement_is_an_access(did, load):
    """The first statement reads nothing personal."""
    assert did(of_one(select(Job).options(load(Job.candidates)))) == [CANDIDATE]


def test_refresh_and_expiry_read_again(did):
    """Each time that a row is read it is an access."""

    def work(session):
        candidate = session.get(Candidate, 101)
        session.refresh(candidate)
        session.refresh(candidate, ["name"])
        session.expire(candidate)
        candidate.email

    assert did(work) == [CANDIDATE, CANDIDATE, NAME, CANDIDATE]


def test_what_is_loaded_already_is_no_access(did):
    """A known limit: no statement is executed, so a session must not be shared across purposes."""

    def work(session):
        first = session.get(Candidate, 101)
        assert session.get(Candidate, 101).name == first.name

    assert did(work) == [CANDIDATE]


def test_a_flush_stores(did):
    """New rows store what they have, changed ones what has changed."""

    def work(session):
        session.add(Candidate(id=1, name="x", email="y"))
        session.flush()
        session.get(Employee, 101).name = "z"

    stored = [("candidate", ("contact", "name", "work_history"), "store")]
    assert did(work) == [
        *stored,
        ("employee", ("name",), "use"),
        ("employee", ("name",), "store"),
    ]


def test_merge_reads_and_stores(did):
    """Both are accesses."""

    def work(session):
        session.merge(Candidate(id=101, name="x"))

    assert did(work) == [CANDIDATE, ("candidate", ("name",), "store")]


def test_delete_erases(did):
    """Of an object, after it was loaded."""

    def work(session):
        session.delete(session.get(Employee, 101))

    assert did(work) == [
        ("employee", ("name",), "use"),
        ("employee", ("name", "salary"), "erase"),
    ]


CHANGES = {
    "insert": (insert(Candidate).values(id=1, name="x"), [("candidate", ("name",), "store")]),
    "insert from select": (
        insert(Job).from_select(["title"], select(Candidate.name)),
        [NAME],
    ),
    "insert returning": (
        insert(Candidate).values(id=1, name="x").returning(Candidate.email),
        [("candidate", ("contact", "name"), "store")],
    ),
    "update": (
        update(Candidate).where(Candidate.email == "x").values(name="y"),
        [("candidate", ("contact", "name"), "store")],
    ),
    "update of nothing personal": (update(Candidate).values(job_id=102), []),
    "update from": (
        update(Candidate).values(name=Employee.name).where(Employee.candidate_id == Candidate.id),
        [("candidate", ("name",), "store"), ("employee", ("name",), "use")],
    ),
    "delete": (
        delete(Employee).where(Employee.salary > 3),
        [("employee", ("name", "salary"), "erase")],
    ),
    "delete returning": (
        delete(Employee).where(Employee.id == 1).returning(Employee.name),
        [("employee", ("name",), "use"), ("employee", ("name", "salary"), "erase")],
    ),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("synchronize", [False, "fetch"])
def test_a_change_is_one_access_for_each_category(did, name, synchronize):
    """`store` for what is inserted or updated, `erase` for rows that are deleted."""
    statement, expected = CHANGES[name]
    options = {} if name.startswith("insert") else {"synchronize_session": synchronize}
    assert did(lambda session: session.execute(statement, execution_options=options)) == expected


def test_many_rows_are_one_access(did):
    """Whether they are sent one by one or many in a statement."""
    rows = [{"id": number, "name": f"n{number}"} for number in range(1, 8)]
    stored = [("candidate", ("name",), "store")]
    assert did(lambda session: session.execute(insert(Candidate), rows)) == stored
    core = insert(Candidate.__table__)
    assert did(lambda session: session.connection().execute(core, rows)) == stored
    returning = insert(Candidate).returning(Candidate.id)
    assert did(lambda session: session.scalars(returning, rows).all()) == stored
    changes = [{"id": 101, "name": "x"}, {"id": 102, "name": "y"}]
    assert did(lambda session: session.execute(update(Candidate), changes)) == stored


def test_rows_that_are_sent_in_batches_are_one_access(did, engine):
    """SQLAlchemy executes some 1,000 rows at a time; the same statement once more is another."""
    core = insert(Candidate.__table__).returning(Candidate.__table__.c.id)
    returning = insert(Candidate).returning(Candidate.id)
    rows = [{"id": number, "name": f"n{number}"} for number in range(1000, 3500)]
    stored = [("candidate", ("name",), "store")]
    with sent_to(engine) as statements:
        assert did(lambda session: session.scalars(returning, rows).all()) == stored
        assert did(lambda session: session.connection().execute(core, rows).all()) == stored
    assert len(statements) >= 3

    def twice(session):
        for part in (rows[:1500], rows[1500:]):
            session.connection().execute(core, part)

    assert did(twice) == stored * 2


def test_upserts(did, engine):
    """An insert that updates instead stores both."""
    kind = {"sqlite": sqlite, "postgresql": postgresql}[engine.dialect.name]
    made = kind.insert(Candidate).values(id=101, name="x")
    upsert = made.on_conflict_do_update(
        index_elements=["id"], set_={"email": made.excluded.name}, where=Candidate.history == "z"
    )
    assert did(of_one(upsert.returning(Candidate.id))) == [("candidate", ALL, "store")]


def test_savepoints_and_driver_sql(did):
    """Statements that touch nothing are no accesses; the driver's own text is read like others."""

    def work(session):
        with session.begin_nested():
            session.connection().exec_driver_sql("SELECT name FROM candidates")

    assert did(work) == [NAME]


def test_rows_that_stream_in_are_one_access(did):
    """It is judged when the statement is executed."""

    def work(session):
        stream = session.execute(select(Candidate).execution_options(yield_per=1))
        assert len(list(stream.scalars())) == 2

    assert did(work) == [CANDIDATE]


def test_connecting_and_reflecting_are_no_accesses(engine, guard):
    """What SQLAlchemy executes on its own touches nothing personal, and can be read."""
    engine.dispose()
    with capture(guard) as records, sent_to(engine) as statements:
        inspector = inspect(engine)
        for table in inspector.get_table_names():
            inspector.get_columns(table)
            inspector.get_foreign_keys(table)
            inspector.get_indexes(table)
            inspector.get_unique_constraints(table)
            inspector.get_check_constraints(table)
        inspector.get_view_names()
        Base.metadata.create_all(engine)
    assert statements
    assert records == []
