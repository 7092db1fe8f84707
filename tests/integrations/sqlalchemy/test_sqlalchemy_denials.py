"""What is denied: before it is executed, with a message that says what to do."""

import logging
import pickle
import signal
import sys
import traceback

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from sqlalchemy import select, text
from sqlalchemy.orm import Session, joinedload
from sqlalchemy_kit import METADATA, accesses, engine_of, installed, new_guard, sent_to
from staff_models import Base, Candidate, Job

from purposeguard import Guard, LedgerError, OutOfPurposeError, UndecidedAccessError
from purposeguard.evidence.ledger.ledger import Ledger
from purposeguard.integrations import sqlalchemy_denials as denials
from purposeguard.testing import capture, under

SECRET = "Mika Example, a value that appears nowhere else"


@pytest.fixture(scope="module")
def engine(tmp_path_factory):
    """A database."""
    with engine_of("sqlite", tmp_path_factory.mktemp("staff")) as engine:
        yield engine


@pytest.fixture
def guard(engine):
    """A guard that is installed on it."""
    guard = new_guard()
    with installed(engine, guard, METADATA):
        yield guard


def run(engine, statement, **values):
    """Execute a text in a transaction that is taken back."""
    with engine.connect() as connection:
        return connection.execute(text(statement), values)


def test_a_statement_out_of_purpose_is_never_executed(engine, guard):
    """It raises, and the database doesn't see it."""
    with (
        sent_to(engine) as statements,
        guard.purpose("payroll"),
        capture(guard) as records,
        pytest.raises(OutOfPurposeError) as caught,
    ):
        run(engine, "UPDATE candidates SET name = 'x'")
    assert statements == []
    assert caught.value.decision.reason == "not_granted"
    assert accesses(records) == [("candidate", ("name",), "store")]


def test_without_a_purpose_nothing_personal_is_read(engine, guard):
    """What is not tagged is."""
    with pytest.raises(UndecidedAccessError) as caught:
        run(engine, "SELECT name FROM candidates")
    assert caught.value.decision.reason == "purpose_undeclared"
    run(engine, "SELECT id FROM candidates")


def test_every_category_must_be_permitted(engine, guard):
    """The one that isn't keeps the whole statement from being executed."""
    joined = "SELECT c.name, e.salary FROM candidates c JOIN employees e ON e.candidate_id = c.id"
    with (
        sent_to(engine) as statements,
        guard.purpose("payroll"),
        pytest.raises(OutOfPurposeError),
    ):
        run(engine, joined)
    assert statements == []


def test_reading_is_not_carried_along_by_erasing(engine, guard):
    """Any purpose may erase; what a `DELETE` hands back is read all the same."""
    with guard.purpose("payroll"), capture(guard) as records:
        run(engine, "DELETE FROM candidates WHERE email = 'nobody'")
        with pytest.raises(OutOfPurposeError):
            run(engine, "DELETE FROM candidates WHERE id = 1 RETURNING email")
    assert [each.outcome for each in records] == ["permit", "violation"]


def test_a_transaction_goes_on_after_a_denial(engine, guard):
    """The statement that was denied has changed nothing in it."""
    with guard.purpose("payroll"), engine.connect() as connection:
        connection.execute(text("INSERT INTO jobs (id, title) VALUES (1, 'x')"))
        with pytest.raises(OutOfPurposeError):
            connection.execute(text("SELECT name FROM candidates"))
        assert connection.execute(text("SELECT title FROM jobs WHERE id = 1")).scalar() == "x"
        connection.rollback()


def test_the_record_names_the_line_that_executes(engine, guard):
    """Not one of SQLAlchemy's or of purposeguard's."""
    with guard.purpose("hiring.selection"), capture(guard) as records:
        for _ in range(2):
            line = run.__code__.co_firstlineno + 3
            run(engine, "SELECT name FROM candidates")
    assert [(each.function, each.file, each.line) for each in records] == [
        (f"{__name__}.run", __file__, line)
    ] * 2


def test_an_entity_that_is_too_much_names_load_only(engine):
    """The message has the attributes that are granted, to be copied into the code."""
    guard = new_guard()
    with installed(engine, guard, Base.metadata), guard.purpose("hiring.invitation"):
        with pytest.raises(OutOfPurposeError) as caught, Session(engine) as session:
            session.scalars(select(Candidate)).all()
        with pytest.raises(OutOfPurposeError) as joined, Session(engine) as session:
            session.scalars(select(Job).options(joinedload(Job.candidates))).unique().all()
        with pytest.raises(OutOfPurposeError) as columns, Session(engine) as session:
            session.execute(select(Candidate.history))
    assert caught.value.__notes__ == [
        (
            "the statement touches `candidates.history`: load only what is granted of `Candidate`, "
            "`load_only(Candidate.id, Candidate.name, Candidate.email, Candidate.job_id)`, "
            "or map the others `deferred=True`"
        )
    ]
    assert joined.value.__notes__ == [
        (
            "the statement touches `candidates.history`: leave them out of it, in an ORM's load "
            "with `load_only(…)` or columns that are mapped `deferred=True`"
        )
    ]
    assert columns.value.__notes__ == joined.value.__notes__


class TimeLimitError(Exception):
    """As Celery's soft time limit is: no `BaseException`."""


def test_a_time_limit_that_strikes_in_an_explanation_is_not_lost(engine):
    """It is raised in place of the denial, wherever it comes up."""

    def over(*_):
        raise TimeLimitError

    def strike(at):
        """Load a candidate, with a signal at one of the places where the interpreter looks."""
        met = 0

        def profile(frame, event, _):
            nonlocal met
            if event in ("call", "c_return") and frame.f_code.co_filename == denials.__file__:
                met += 1
                if met == at:
                    signal.raise_signal(signal.SIGUSR1)

        try:
            sys.setprofile(profile)
            with Session(engine) as session:
                session.scalars(select(Candidate)).all()
        except (TimeLimitError, OutOfPurposeError) as error:
            return type(error)
        finally:
            sys.setprofile(None)

    guard = new_guard()
    before = signal.signal(signal.SIGUSR1, over)
    try:
        with installed(engine, guard, Base.metadata), guard.purpose("hiring.invitation"):
            raised = [strike(at) for at in range(1, 60)]
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert set(raised) == {TimeLimitError, OutOfPurposeError}
    assert raised == sorted(raised, key=[TimeLimitError, OutOfPurposeError].index)


def test_an_error_pickles(engine, guard):
    """As other denials do."""
    with pytest.raises(UndecidedAccessError) as caught:
        run(engine, "SELECT name FROM candidates")
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


GAPS = {
    "no SQL": "SELECT FROM WHERE candidates ORDER",
    "a name of nothing": "SELECT nobody.name FROM candidates",
    "a call": "CALL candidates",
    "a word that begins no statement": "GOSUB candidates",
}


@pytest.mark.parametrize("name", GAPS)
def test_a_statement_that_cant_be_read_is_a_gap(engine, guard, name):
    """Never a silent permit: whatever the purpose, it isn't executed."""
    with (
        sent_to(engine) as statements,
        guard.purpose("hiring.selection"),
        pytest.raises(UndecidedAccessError) as caught,
    ):
        run(engine, GAPS[name])
    assert statements == []
    assert caught.value.decision.reason == "check_failed"
    assert caught.value.decision.category == "candidate"
    way = "…" if GAPS[name].startswith("SELECT") else '…, operation="store"'
    assert f"run it inside a `guard.access({way})`" in caught.value.__notes__[0]


def test_a_gap_names_every_category_where_no_table_is_named(engine, guard):
    """Nothing says that none of them is touched."""
    with (
        under(guard, mode="observe"),
        guard.purpose("payroll"),
        capture(guard) as records,
        pytest.raises(Exception, match="syntax error"),
    ):
        run(engine, "CALL something")
    assert accesses(records) == [("candidate", None, "store"), ("employee", None, "store")]
    assert {each.reason for each in records} == {"check_failed"}


def test_observing_records_and_goes_on(engine, guard):
    """Denials and gaps alike."""
    with under(guard, mode="observe"), capture(guard) as records:
        run(engine, "SELECT name FROM candidates")
        with guard.purpose("payroll"):
            run(engine, "SELECT name FROM candidates")
    assert [each.reason for each in records] == ["purpose_undeclared", "not_granted"]


def test_a_statement_that_cant_be_read_may_run_inside_an_access_to_all_of_it(engine, guard):
    """Which says what its text doesn't."""
    unreadable = "SELECT name FROM candidates AS c WHERE nobody.name IS NULL OR c.id = 1"
    with guard.purpose("hiring.selection"), capture(guard) as records:
        with guard.access("candidate", items=["name"]), pytest.raises(UndecidedAccessError):
            run(engine, unreadable)
        with guard.access("candidate"), pytest.raises(Exception, match="no such column"):
            run(engine, unreadable)
    assert [each.reason for each in records] == ["granted", "check_failed", "granted"]


def test_what_a_ledger_cant_keep_is_not_executed(engine, tmp_path):
    """No record, no data."""
    ledger = Ledger(tmp_path / "ledger")
    guard = new_guard(ledger=ledger)
    with installed(engine, guard), guard.purpose("hiring.selection"):
        run(engine, "SELECT name FROM candidates")
        ledger.close()
        with sent_to(engine) as statements, pytest.raises(LedgerError):
            run(engine, "SELECT name FROM candidates")
    assert statements == []


def test_people_are_those_of_the_purpose_around(engine):
    """A cell that needs evidence about a person can't be judged without one."""
    guard = new_guard(subject_key=b"a key of the tests only")
    statement = "SELECT email FROM candidates"
    with installed(engine, guard), capture(guard) as records:
        with guard.purpose("news"), pytest.raises(UndecidedAccessError) as caught:
            run(engine, statement)
        with guard.purpose("hiring.selection", subject=7):
            run(engine, statement)
    assert caught.value.decision.reason == "evidence_unavailable"
    assert len(records[1].subjects) == 1


def test_no_text_and_no_value_of_a_statement_gets_out(engine, caplog):
    """Neither into spans, logs and records, nor into the error and the adapter's own frames."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    guard = Guard(new_guard().policy, tracer_provider=provider)
    texts = [
        f"SELECT name FROM candidates WHERE email = '{SECRET}'",
        f"SELECT '{SECRET}' FROM FROM candidates",
        f"GOSUB '{SECRET}'",
        f"UPDATE candidates SET name = '{SECRET}' WHERE nobody.x = 1",
        f"INSERT INTO candidates SET UNKNOWN '{SECRET}'",
        f"SELECT name -> '$[{SECRET}' FROM candidates",
    ]
    with installed(engine, guard), capture(guard) as records, caplog.at_level(logging.DEBUG):
        for statement in texts:
            with guard.purpose("payroll"), pytest.raises(Exception, match="candidate") as caught:
                run(engine, statement, secret=SECRET)
            error = caught.value
            told = [str(error), repr(error), *error.__notes__]
            assert SECRET not in " ".join(told)
            assert error.__cause__ is None
            assert error.__context__ is None
            for frame, _ in traceback.walk_tb(error.__traceback__):
                if "purposeguard" in frame.f_code.co_filename:
                    assert SECRET not in repr(frame.f_locals)
    assert len(records) >= len(texts)
    assert SECRET not in repr(records)
    assert SECRET not in caplog.text
    assert "candidates" not in caplog.text.replace("test_sqlalchemy_denials", "")
    spans = exporter.get_finished_spans()
    assert len(spans) == len(records)
    assert SECRET not in "".join(span.to_json() for span in spans)
