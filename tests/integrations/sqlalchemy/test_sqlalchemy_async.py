"""Async engines: the same accesses, at the awaiting line, with nothing blocking the loop."""

import asyncio
import contextlib

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.pool import NullPool
from sqlalchemy_kit import EVERYTHING, ROWS, accesses, engine_of, installed, new_guard
from staff_models import Base, Candidate, Employee

from purposeguard import AccessDeniedError, LedgerError
from purposeguard.evidence.ledger.ledger import Ledger
from purposeguard.testing import capture

pytest.importorskip("greenlet", reason="async engines need `sqlalchemy[asyncio]`")
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

ROWS = tuple(row for row in ROWS if "Staff" not in row and "files" not in row)
CANDIDATE = ("candidate", ("contact", "name", "work_history"), "use")
DRIVERS = {"aiosqlite": "sqlite", "psycopg": "postgresql", "asyncpg": "postgresql"}


@pytest.fixture(params=DRIVERS)
def url(request, tmp_path):
    """The URL of a database for each async driver."""
    pytest.importorskip(request.param)
    kind = DRIVERS[request.param]
    with engine_of(kind, tmp_path, Base.metadata, ROWS) as engine:
        made = engine.url.set(drivername=f"{kind}+{request.param}")
        if request.param == "asyncpg":
            path = made.query["options"].split()[0].removeprefix("-csearch_path=")
            made = made.set(query={})
            yield made, {"server_settings": {"search_path": path}}
        else:
            yield made, {}


@contextlib.asynccontextmanager
async def checked(url, guard):
    """Yield an async engine whose statements are checked."""
    made, arguments = url
    engine = create_async_engine(made, poolclass=NullPool, connect_args=arguments)
    try:
        with installed(engine, guard, Base.metadata):
            yield engine
    finally:
        await engine.dispose()


def test_statements_are_accesses_at_the_line_that_awaits_them(url):
    """Through sessions, connections and streams, one for each."""
    guard = new_guard(EVERYTHING)

    async def work():
        async with checked(url, guard) as engine:
            async with AsyncSession(engine) as session:
                candidate = (await session.scalars(select(Candidate).limit(1))).one()
                await session.refresh(candidate, ["name"])
                await session.execute(insert(Employee), [{"id": n, "name": "x"} for n in (1, 2)])
                stream = await session.stream_scalars(select(Candidate.email))
                assert len([each async for each in stream]) == 2
                await session.run_sync(lambda sync: sync.execute(select(Candidate.history)))
            async with engine.connect() as connection:
                await connection.execute(text("SELECT id FROM candidates WHERE name = 'x'"))

    with guard.purpose("payroll"), capture(guard) as records:
        asyncio.run(work())
    assert accesses(records) == [
        CANDIDATE,
        ("candidate", ("name",), "use"),
        ("employee", ("name",), "store"),
        ("candidate", ("contact",), "use"),
        ("candidate", ("work_history",), "use"),
        ("candidate", ("name",), "use"),
    ]
    assert {each.file for each in records} == {__file__}
    assert {each.function.rpartition(".")[2] for each in records} == {"work", "<lambda>"}
    assert len({each.line for each in records}) == 6


def test_tasks_keep_their_purposes_apart(url):
    """One is denied while another one's statements go on."""
    guard = new_guard()

    async def read(engine, purpose):
        try:
            with guard.purpose(purpose):
                async with engine.connect() as connection:
                    for _ in range(5):
                        await connection.execute(text("SELECT name FROM candidates"))
        except AccessDeniedError as error:
            return error.decision.reason
        return "granted"

    async def work():
        async with checked(url, guard) as engine:
            purposes = ["payroll", "hiring.selection"] * 3
            return await asyncio.gather(*(read(engine, each) for each in purposes))

    assert asyncio.run(work()) == ["not_granted", "granted"] * 3


def test_a_statement_inside_an_access_belongs_to_it(url):
    """In an async function as in others."""
    guard = new_guard()

    async def work():
        async with checked(url, guard) as engine:

            @guard.access("candidate")
            async def load():
                async with AsyncSession(engine) as session:
                    return (await session.scalars(select(Candidate))).all()

            return await load()

    with guard.purpose("hiring.selection"), capture(guard) as records:
        assert len(asyncio.run(work())) == 2
    assert accesses(records) == [("candidate", None, "use")]


def test_a_ledger_is_waited_for_without_blocking_the_loop(url, tmp_path):
    """The record is on disk before the statement is executed; other tasks run meanwhile."""
    ledger = Ledger(tmp_path / "ledger", durability="power")
    guard = new_guard(ledger=ledger)
    blocked = []

    def settle(ticket):
        blocked.append(ticket)

    async def work():
        async with checked(url, guard) as engine, engine.connect() as connection:
            await connection.execute(text("SELECT name FROM candidates"))
            assert ledger.health().written >= 1
            ledger.close()
            with pytest.raises(LedgerError):
                await connection.execute(text("SELECT name FROM candidates"))

    with pytest.MonkeyPatch.context() as patch, guard.purpose("hiring.selection"):
        patch.setattr(ledger, "settle", settle)
        asyncio.run(work())
    assert blocked == []
