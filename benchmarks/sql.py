"""Budget 12: what checking a SQL statement costs beside its evidence; and reading it anew."""

from collections.abc import Iterator
from itertools import count
from statistics import median

from sqlalchemy import Column, Integer, MetaData, String, Table, create_engine, event, select
from sqlalchemy.pool import StaticPool

from benchmarks.calls import policy
from benchmarks.measuring import Case, Figure, Size, Timing, interleaved
from benchmarks.setting import CATEGORY, PURPOSE, base_span, guard_for, inside, load
from purposeguard.integrations.sql.reading import Reader
from purposeguard.integrations.sqlalchemy import SQLAlchemyPurposes, tag
from purposeguard.integrations.sqlalchemy_tags import Tables

METADATA = MetaData()
TABLE = Table(
    "candidates",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String, info=tag(CATEGORY, "name")),
    Column("email", String, info=tag(CATEGORY, "contact")),
    Column("job_id", Integer),
)
BY_ID = select(TABLE.c.name, TABLE.c.email).where(TABLE.c.id == 1)
IMPERSONAL = select(TABLE.c.job_id).where(TABLE.c.id == 1)


def sql(size: Size) -> Iterator[Figure]:
    """Measure statements on SQLite in memory: unchecked, checked, and inside a guarded access.

    SQLAlchemy does more for a statement as soon as anybody listens, so what the check costs is told
    apart from that. The evidence is that of a guarded call, made beside the statement: the caches
    of the processor make it cost more there than alone.
    """
    guard, alone = guard_for(policy), guard_for(policy)
    plain, heard, checked = _connection(), _connection(), _connection()
    event.listen(heard.engine, "before_cursor_execute", lambda *_: None)
    SQLAlchemyPurposes(guard, METADATA).install(checked.engine)
    evidence = alone.access(CATEGORY, items=["name", "contact"])(load)
    enclosing = guard.access(CATEGORY, items=["name", "contact"])

    def beside() -> None:
        evidence(7)
        heard.execute(BY_ID).all()

    @enclosing
    def around() -> None:
        heard.execute(BY_ID).all()

    @enclosing
    def within() -> None:
        checked.execute(BY_ID).all()

    mine = inside(guard.purpose(PURPOSE), alone.purpose(PURPOSE))
    cases = [
        Case("base span", lambda: base_span(7), mine),
        Case("a statement", lambda: plain.execute(BY_ID).all(), mine),
        Case("with a listener that does nothing", lambda: heard.execute(BY_ID).all(), mine),
        Case("with that, and a guarded call beside it", beside, mine),
        Case("checked", lambda: checked.execute(BY_ID).all(), mine),
        Case("of nothing personal, listened to", lambda: heard.execute(IMPERSONAL).all(), mine),
        Case("of nothing personal, checked", lambda: checked.execute(IMPERSONAL).all(), mine),
        Case("listened to, inside a guarded call", around, mine),
        Case("checked, inside a guarded call that covers it", within, mine),
        Case("reading a text for the first time", _first_time(), mine),
    ]
    for case in reversed(cases[1:-1]):
        case.context.run(_warm, case, 60 * size.rounds)
    timings = interleaved(cases, size)
    for each in (plain, heard, checked):
        each.close()
        each.engine.dispose()
    base = timings[0]
    for case, timing in zip(cases, timings, strict=True):
        yield Figure(case.what, timing.microseconds, "µs", timing.over(base))
    yield _cost("checking it, beside the evidence", timings[4], timings[3])
    yield _cost("checking one of nothing personal", timings[6], timings[5])
    yield _cost("checking one that a guarded call covers", timings[8], timings[7])


def _cost(what: str, whole: Timing, without: Timing) -> Figure:
    """Return what is left of a case once another one is taken off, round by round."""
    left = [mine - other for mine, other in zip(whole.rounds, without.rounds, strict=True)]
    return Figure(what, median(left), "µs", None, "12", 5, "value")


def _warm(case: Case, count: int) -> None:
    """Call a case many times before it takes turns with others.

    Without it, one case or another was seen to stay up to half as slow again for the whole run,
    not always the same one, with the same calls made. Why was not found out.
    """
    for _ in range(count):
        case.call()


def _connection():
    engine = create_engine("sqlite://", poolclass=StaticPool)
    METADATA.create_all(engine)
    return engine.connect()


def _first_time():
    """Return a call that reads a text that no reader has met."""
    reader, numbers = Reader(Tables((METADATA,)).catalog(), "sqlite"), count()
    text = str(BY_ID.compile(create_engine("sqlite://")))
    return lambda: reader.read(f"{text} AND candidates.id != {next(numbers)}")
