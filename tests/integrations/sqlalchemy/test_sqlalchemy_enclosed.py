"""A statement inside a guarded access that covers it belongs to that access."""

import asyncio
import contextlib
import contextvars

import pytest
from opentelemetry.context import attach, detach, get_current
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import text
from sqlalchemy.exc import DatabaseError
from sqlalchemy_kit import EVERYTHING, accesses, engine_of, installed, new_guard

from purposeguard import AccessDeniedError, Guard, UndecidedAccessError
from purposeguard.testing import capture, under

NAME = ("candidate", ("name",), "use")


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A database."""
    with engine_of("sqlite", tmp_path_factory.mktemp("staff")) as engine:
        yield engine


@pytest.fixture
def exporter():
    """Where the spans of the guard's accesses go."""
    return InMemorySpanExporter()


@pytest.fixture
def guard(engine, exporter):
    """A guard that is installed on it."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    guard = Guard(new_guard().policy, tracer_provider=provider)
    with installed(engine, guard):
        yield guard


@pytest.fixture
def run(engine):
    """Execute a text, by default one that reads the names of candidates."""

    def run(statement="SELECT name FROM candidates"):
        with engine.connect() as connection:
            result = connection.execute(text(statement))
            return result.all() if result.returns_rows else None

    return run


def ways(guard, **names):
    """Yield every kind of call and block that is an access, as a way to run something in it."""
    access = guard.access("candidate", **names)

    def block(work):
        with access:
            work()

    def function(work):
        access(work)()

    def generator(work):
        @access
        def steps():
            yield work()

        list(steps())

    def coroutine(work):
        @access
        async def call():
            work()

        asyncio.run(call())

    def async_block(work):
        async def call():
            async with access:
                work()

        asyncio.run(call())

    def async_generator(work):
        @access
        async def steps():
            yield work()

        async def call():
            return [each async for each in steps()]

        asyncio.run(call())

    def method(work):
        class Repository:
            @access
            def load(self):
                work()

        Repository().load()

    def returned(work):
        def call():
            async def later():
                work()

            return later()

        asyncio.run(access(call)())

    return [
        block,
        function,
        generator,
        coroutine,
        async_block,
        async_generator,
        method,
        returned,
    ]


@pytest.mark.parametrize("place", range(8))
def test_what_an_access_covers_is_not_recorded_twice(guard, run, place):
    """Whatever kind of call or block it is: one record, of the access."""
    way = ways(guard, items=["name", "contact"])[place]
    with guard.purpose("hiring.selection"), capture(guard) as records:
        way(run)
    assert accesses(records) == [("candidate", ("name", "contact"), "use")]


def test_a_call_that_is_prepared_still_covers(guard, exporter, run):
    """The second call of a function has nothing left to decide, and takes a shorter way."""
    load = guard.access("candidate", items=["name"])(run)
    with guard.purpose("hiring.selection"):
        for _ in range(3):
            load()
    assert len(exporter.get_finished_spans()) == 3


@pytest.mark.parametrize("place", range(8))
def test_what_an_access_does_not_cover_is_an_access_of_its_own(guard, run, place):
    """Other items are not what was asked for."""
    way = ways(guard, items=["contact"])[place]
    with guard.purpose("hiring.selection"), capture(guard) as records:
        way(run)
    assert accesses(records) == [("candidate", ("contact",), "use"), NAME]


@pytest.mark.parametrize("place", range(8))
def test_what_comes_after_an_access_is_an_access_of_its_own(guard, run, place):
    """Nothing stays open behind it."""
    way = ways(guard)[place]
    with guard.purpose("hiring.selection"), capture(guard) as records:
        way(lambda: None)
        run()
    assert accesses(records) == [("candidate", None, "use"), NAME]


COVERS = {
    "another category": (
        {"category": "employee", "items": ["name"]},
        "SELECT name FROM candidates",
        False,
    ),
    "all items": ({}, "SELECT name FROM candidates", True),
    "a file of everything, inside all items": ({}, "SELECT body FROM files", True),
    "a file of everything, inside some": ({"items": ["name"]}, "SELECT body FROM files", False),
    "a use, inside a store": ({"operation": "store"}, "SELECT name FROM candidates", True),
    "a use, inside a collection": (
        {"operation": "collect", "source": "referral"},
        "SELECT name FROM candidates",
        True,
    ),
    "a use, inside a provision": (
        {"recipient": "agency", "items": ["name"]},
        "SELECT name FROM candidates",
        True,
    ),
    "a use, inside an erasure": ({"operation": "erase"}, "SELECT name FROM candidates", False),
    "a store, inside a use": ({}, "UPDATE candidates SET name = 'x'", False),
    "a store, inside a store": (
        {"operation": "store"},
        "UPDATE candidates SET name = 'x'",
        True,
    ),
    "an erasure, inside a use": ({}, "DELETE FROM candidates WHERE id = 1", False),
    "an erasure, inside an erasure": (
        {"operation": "erase"},
        "DELETE FROM candidates WHERE id = 1",
        True,
    ),
}


@pytest.mark.parametrize("name", COVERS)
def test_category_items_and_operation_have_to_be_covered(guard, run, name):
    """Reading belongs to whatever isn't an erasure, the rest to its own kind."""
    names, statement, covered = COVERS[name]
    category = names.get("category", "candidate")
    rest = {key: value for key, value in names.items() if key != "category"}
    with (
        guard.purpose("hiring.selection"),
        capture(guard) as records,
        guard.access(category, **rest),
    ):
        run(statement)
    assert len(records) == (1 if covered else 2)


HIDDEN = {
    "a query, inside uses": ("SELECT FROM WHERE candidates ORDER", {}, True),
    "a call, inside uses": ("CALL archive_candidates", {}, False),
    "a call, inside stores": ("CALL archive_candidates", {"operation": "store"}, True),
    "a call, inside erasures": ("CALL archive_candidates", {"operation": "erase"}, False),
}


@pytest.mark.parametrize("name", HIDDEN)
def test_what_cant_be_told_is_covered_by_all_it_may_be(guard, run, name):
    """By accesses to all categories, that may store unless it is a query."""
    statement, names, covered = HIDDEN[name]
    with (
        under(guard, policy=EVERYTHING),
        guard.purpose("payroll"),
        guard.access("candidate", **names),
        pytest.raises(DatabaseError if covered else UndecidedAccessError),
        guard.access("employee", **names),
    ):
        run(statement)


def test_a_call_is_covered_by_accesses_to_all_categories_alone(guard, run):
    """Its text may spell the name of one, and its body touch another."""
    with (
        under(guard, policy=EVERYTHING),
        guard.purpose("payroll"),
        guard.access("candidate", operation="store"),
        pytest.raises(UndecidedAccessError),
    ):
        run("CALL archive_candidates")


def test_an_outer_access_covers_too(guard, run):
    """The innermost need not be the one."""
    with (
        guard.purpose("hiring.selection"),
        capture(guard) as records,
        guard.access("candidate"),
        guard.access("employee", items=["name"]),
    ):
        run()
    assert len(records) == 2


def test_a_purpose_declared_inside_is_judged(guard, run):
    """An access is permitted for the purposes around it; one inside of it takes away."""
    with guard.purpose("hiring.selection"), guard.access("candidate"):
        with guard.purpose("payroll"), pytest.raises(AccessDeniedError):
            run()
        with guard.purpose("payroll", root=True), pytest.raises(AccessDeniedError):
            run()
        run()


def test_an_access_with_a_purpose_of_its_own_covers(guard, run):
    """`guard.access(…, purpose=…)` declares it in the same breath."""
    with capture(guard) as records:
        with guard.access("candidate", purpose="hiring.selection"):
            run()
        guard.access("candidate", purpose="hiring.selection")(run)()
    assert accesses(records) == [("candidate", None, "use")] * 2


@pytest.mark.parametrize("place", range(8))
@pytest.mark.parametrize("purpose", ["payroll", "hiring.invitation", None])
def test_what_was_only_observed_is_recorded_once(guard, run, place, purpose):
    """A denial that lets the call go on is that of all its parts, whatever its reason."""
    way = ways(guard, items=["name", "work_history"])[place]
    declared = guard.purpose(purpose) if purpose else contextlib.nullcontext()
    with under(guard, mode="observe"), declared, capture(guard) as records:
        way(run)
    assert accesses(records) == [("candidate", ("name", "work_history"), "use")]
    assert records[0].outcome != "permit"


def test_what_was_only_observed_covers_no_more_than_its_items(guard, run):
    """What it doesn't cover is an access of its own, as it is inside one that was permitted."""
    with (
        under(guard, mode="observe"),
        guard.purpose("payroll"),
        capture(guard) as records,
        guard.access("candidate", items=["contact"]),
    ):
        run()
    assert [each.outcome for each in records] == ["violation", "violation"]


def test_what_was_only_observed_covers_nothing_that_is_enforced(guard, run):
    """A denial is no permit: what is enforced is judged for itself."""
    with under(guard, mode="observe"), guard.purpose("payroll"), guard.access("candidate"):
        run()
        with under(guard, mode="enforce"), pytest.raises(AccessDeniedError):
            run()
        with guard.purpose("news"), capture(guard) as records:
            run()
    assert [each.outcome for each in records] == ["violation"]


def test_a_dead_chain_that_is_only_observed_is_recorded_once(guard, run):
    """Work that goes on in a copied context; and where its purpose ends meanwhile, that is new."""
    with under(guard, mode="observe"), capture(guard) as records:
        with guard.purpose("hiring.selection"):
            copied = contextvars.copy_context()
        copied.run(guard.access("candidate")(run))
        assert [each.reason for each in records] == ["purpose_closed"]

        def ending():
            purpose = guard.purpose("payroll")
            with purpose, guard.access("candidate"):
                inside = get_current()
                purpose.__exit__(None, None, None)
                attach(inside)
                run()

        contextvars.copy_context().run(ending)
    assert [each.reason for each in records[1:]] == ["not_granted", "purpose_closed"]


def test_a_copied_context_covers_nothing_once_the_access_has_ended(guard, run):
    """Work that was begun inside, and goes on, is an access of its own."""
    with guard.purpose("hiring.selection"), capture(guard) as records:
        with guard.access("candidate"):
            copied, context = contextvars.copy_context(), get_current()
            copied.run(run)
        copied.run(run)
        token = attach(context)
        run()
        detach(token)
    assert accesses(records) == [("candidate", None, "use"), NAME, NAME]
    with pytest.raises(AccessDeniedError) as caught:
        copied.run(run)
    assert caught.value.decision.reason == "purpose_closed"


def test_an_open_access_on_a_dead_chain_covers_nothing(guard, run):
    """Its purpose has ended before it has."""

    def closed():
        purpose, access = guard.purpose("hiring.selection"), guard.access("candidate")
        purpose.__enter__()
        access.__enter__()
        inside = get_current()
        purpose.__exit__(None, None, None)
        attach(inside)
        with pytest.raises(AccessDeniedError) as caught:
            run()
        access.__exit__(None, None, None)
        return caught.value.decision.reason

    assert contextvars.copy_context().run(closed) == "purpose_closed"


def test_a_check_covers_nothing(guard, run):
    """It is over when it returns."""
    with guard.purpose("hiring.selection"), capture(guard) as records:
        guard.check("candidate")
        run()
    assert accesses(records) == [("candidate", None, "use"), NAME]


def test_another_guards_access_covers_nothing(guard, run):
    """Each guard judges for itself."""
    other = new_guard()
    with (
        guard.purpose("hiring.selection"),
        other.purpose("hiring.selection"),
        capture(guard) as records,
        other.access("candidate"),
    ):
        run()
    assert accesses(records) == [NAME]


def test_a_generator_covers_while_it_runs(guard, run):
    """Between its steps, what its consumer does is not a part of it."""

    @guard.access("candidate")
    def steps():
        run()
        yield
        run()
        yield

    with guard.purpose("hiring.selection"), capture(guard) as records:
        for _ in steps():
            run()
    assert accesses(records) == [("candidate", None, "use"), NAME, NAME]
