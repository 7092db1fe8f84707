"""Records: what is kept of one access, always in full, and people only as keyed hashes."""

import asyncio
import copy
import dataclasses
import enum
import os
import pickle
import socket
import threading
from datetime import UTC, datetime
from uuid import UUID

import pytest
from evidence_kit import KINDS, POLICY, SUBJECT_KEY, Telemetry, function_name
from hypothesis import given, settings
from hypothesis import strategies as st

from purposeguard import (
    AccessDeniedError,
    AccessRecord,
    Guard,
    OutOfPurposeError,
    UnknownNameError,
)
from purposeguard.evidence.faults import Faults
from purposeguard.subjects.keys import SubjectKey
from purposeguard.testing import capture


def keyed(**options):
    """Return a guard that records people."""
    return Guard(POLICY, subject_key=SUBJECT_KEY, **options)


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_has_everything(kind):
    """It holds the decision, mode, chain, place, people, host, process, trace and span."""
    telemetry = Telemetry()
    guard = telemetry.guard(subject_key=SUBJECT_KEY, actor=lambda: "ada", service="shop")
    touch = KINDS[kind](guard, lambda value: value, "buyer", items=["name"])
    before = datetime.now(UTC)
    with (
        capture(guard) as records,
        guard.purpose("order", subject=7),
        guard.purpose("order.delivery", customer="acme"),
    ):
        touch(1)
    (record,) = records
    (span,) = telemetry.spans()
    assert type(record) is AccessRecord
    assert before <= record.time <= datetime.now(UTC)
    assert record.time.utcoffset().total_seconds() == 0
    assert (record.category, record.purpose) == ("buyer", "order.delivery")
    assert (record.outcome, record.reason, record.mode) == ("permit", "granted", "enforce")
    assert record.chain == ("order", "order.delivery")
    assert record.decision.purposes == ("order.delivery",)
    assert record.decision.items == ("name",)
    assert record.decision.clauses == ("S1", "S1b")
    assert record.decision.policy_digest == POLICY.digest
    assert record.policy_version == "2026-11"
    assert (record.root, record.carried) == (False, False)
    assert record.function == function_name(kind)
    assert record.file.endswith("evidence_kit.py")
    assert record.line > 1
    assert (record.service, record.host) == ("shop", socket.gethostname())
    assert record.process == os.getpid()
    assert record.trace_id == f"{span.context.trace_id:032x}"
    assert record.span_id == f"{span.context.span_id:016x}"
    key = SubjectKey(SUBJECT_KEY)
    assert record.subjects == (key.hash("subject:buyer", 7),)
    assert record.customers == (key.hash("customer", "acme"),)
    assert record.actor == key.hash("actor", "ada")
    assert record.key_id == key.id


def test_a_record_of_a_denial_has_everything_too():
    """A blocked access has its chain, root and people, and is kept before it is raised."""
    guard = keyed()
    with capture(guard) as records:
        with guard.purpose("order.delivery"), guard.purpose("advice", root=True, subject="7"):
            with pytest.raises(OutOfPurposeError) as denied:
                guard.check("buyer")
            assert records[0].decision is denied.value.decision
        with guard.purpose("order.delivery", customer=1):
            work = guard.carry(lambda: guard.check("buyer"))
        work()
    blocked, carried = records
    assert (blocked.chain, blocked.root, blocked.carried) == (("advice",), True, False)
    assert blocked.subjects == (SubjectKey(SUBJECT_KEY).hash("subject:buyer", 7),)
    assert (carried.chain, carried.root, carried.carried) == (("order.delivery",), False, True)
    assert carried.customers == (SubjectKey(SUBJECT_KEY).hash("customer", "1"),)


def test_a_record_without_a_trace_has_no_ids():
    """With no SDK and no trace around, trace and span id are None."""
    guard = Guard(POLICY)
    with capture(guard) as records, guard.purpose("order.delivery"):
        guard.check("buyer")
    assert (records[0].trace_id, records[0].span_id) == (None, None)


def test_a_record_can_be_kept_but_not_changed():
    """It is frozen, pickles and copies as itself."""
    guard = keyed()
    with capture(guard) as records, guard.purpose("order.delivery", subject=[1, 2]):
        guard.check("buyer")
    (record,) = records
    assert pickle.loads(pickle.dumps(record)) == record == copy.deepcopy(record)
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.mode = "observe"


def subjects_of(value, category="buyer"):
    """Return the hashes that an access records for a subject."""
    guard = keyed(mode="observe")
    with capture(guard) as records, guard.purpose("order.delivery"):
        guard.check(category, subject=value)
    return records[0].subjects


class Kind(enum.StrEnum):
    """Text as applications have it."""

    SEVEN = "7"


class Number(enum.IntEnum):
    """A number as applications have it."""

    SEVEN = 7


class Loud(str):
    """Text that formats as something else."""

    __slots__ = ()

    def __str__(self):
        return "loud"

    def __format__(self, _):
        return "loud"


PERSON = UUID("11112222-3333-4444-5555-666677778888")


def test_one_person_has_one_key_whatever_the_type():
    """7, "7" and enum members of them are one person, and so are a UUID and its text."""
    assert len({subjects_of(each) for each in (7, "7", Kind.SEVEN, Number.SEVEN, Loud("7"))}) == 1
    assert subjects_of(PERSON) == subjects_of(str(PERSON))
    assert len({subjects_of(each) for each in ("7", "07", "7 ", "\uff17", 70, PERSON)}) == 6


def test_kinds_and_keys_tell_people_apart():
    """Buyer 7, employee 7, customer 7 and actor 7 are four, and another key makes others."""
    guard = keyed(mode="observe", actor=lambda: 7)
    with capture(guard) as records:
        guard.check("buyer", subject=7, customer=7)
        guard.check("employee", subject=7, customer=7)
    buyer, employee = records
    hashes = [*buyer.subjects, *buyer.customers, buyer.actor, *employee.subjects]
    assert len(set(hashes)) == 4
    assert all(len(each) == 32 and int(each, 16) for each in hashes)
    assert (buyer.customers, buyer.actor) == (employee.customers, employee.actor)
    other = SubjectKey(b"another key of 16 bytes or more")
    assert other.hash("subject:buyer", 7) not in hashes
    assert other.id != buyer.key_id
    assert SubjectKey(SUBJECT_KEY).id == buyer.key_id


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["customer", "subject:a", "subject:b"]), st.text())))
def test_different_people_have_different_keys(people):
    """The hash is the same for the same kind and text, and for no other."""
    key = SubjectKey(SUBJECT_KEY)
    assert len({key.hash(*each) for each in people}) == len(set(people))
    assert not any(text and len(text) > 3 and text in key.hash(kind, text) for kind, text in people)


@pytest.mark.parametrize("short", [b"", b"short", b"fifteen bytes.."])
def test_a_short_subject_key_is_refused(short):
    """A key that can be guessed is refused when the guard is made, in both modes."""
    with pytest.raises(UnknownNameError, match="subject key"):
        Guard(POLICY, subject_key=short)


@pytest.mark.parametrize("text", ["a text of more than sixteen", 7, ["a"] * 20])
def test_a_subject_key_is_bytes(text):
    """Anything but bytes is refused as a key."""
    with pytest.raises(UnknownNameError):
        Guard(POLICY, subject_key=text)


@pytest.mark.parametrize("people", [[1, "b", PERSON], (1, "b", PERSON), {1, "b", PERSON}])
def test_lists_of_people_are_recorded_whole(people):
    """A list, tuple or set of subjects gives a hash for each."""
    key = SubjectKey(SUBJECT_KEY)
    found = subjects_of(people)
    assert sorted(found) == sorted(key.hash("subject:buyer", each) for each in people)


WRONG = [None.__class__, 1.5, b"7", True, object(), [], [None], [1, True], {"a": 1}, ["a", ["b"]]]


@pytest.mark.parametrize("value", WRONG, ids=map(repr, range(len(WRONG))))
def test_what_cannot_name_a_person_is_refused(value):
    """In enforce anything but texts, whole numbers and UUIDs is an error, with no record."""
    guard = keyed()
    with capture(guard) as records, guard.purpose("order.delivery"):
        with pytest.raises(UnknownNameError):
            guard.check("buyer", subject=value)
        with pytest.raises(UnknownNameError), guard.access("buyer", customer=value):
            pass
        with pytest.raises(UnknownNameError):
            guard.access("buyer", subject=lambda bound: value)(lambda: None)()
    assert records == []


@pytest.mark.parametrize("value", WRONG, ids=map(repr, range(len(WRONG))))
def test_what_cannot_name_a_person_is_a_gap_in_observe(value):
    """In observe the same calls go on, and are recorded as failed checks for everybody to see."""
    guard = keyed(mode="observe")
    with capture(guard) as records, guard.purpose("order.delivery"):
        guard.check("buyer", subject=value)
        with guard.access("buyer", customer=value):
            pass
        assert guard.access("buyer", subject=lambda bound: value)(lambda: 5)() == 5
    assert [record.reason for record in records] == ["check_failed"] * 3
    with guard.purpose("order.delivery", customer=value):
        guard.check("buyer")
    assert guard.health().faults == {"people": 1}


class Lying:
    """Says that it is a text."""

    __class__ = str


def test_an_object_that_claims_to_be_text_is_none():
    """What a value is, is asked of its type and not of the value."""
    guard = keyed()
    with guard.purpose("order.delivery"), pytest.raises(UnknownNameError):
        guard.check("buyer", subject=Lying())


def test_a_person_that_cannot_be_hashed_is_a_fault_and_no_answer():
    """A number too long to be written out is left out of the record and counted."""
    guard = keyed()
    with capture(guard) as records, guard.purpose("order.delivery"):
        guard.check("buyer", subject=10**5000)
    assert (records[0].reason, records[0].subjects) == ("granted", ())
    assert guard.health().faults == {"people": 1}


def _fails():
    raise LookupError("no request")


ACTORS = {
    "text": (lambda: "ada", 0),
    "number": (lambda: 7, 0),
    "nobody": (lambda: None, None),
    "fails": (_fails, 1),
    "wrong": (lambda: {"name": "ada"}, 1),
    "flag": (lambda: True, 1),
    "bytes": (lambda: b"ada", 1),
    "too long": (lambda: 10**5000, 1),
}


@pytest.mark.parametrize("purpose", ["order.delivery", "advice"])
@pytest.mark.parametrize("case", ACTORS)
def test_who_acts_is_asked_for_each_record(case, purpose):
    """What `actor` returns is hashed; what it gets wrong is counted and changes no answer."""
    actor, faults = ACTORS[case]
    guard = keyed(actor=actor, mode="observe")
    with capture(guard) as records, guard.purpose(purpose):
        guard.check("buyer")
        guard.check("buyer")
    assert records[0].reason == ("granted" if purpose == "order.delivery" else "item_excess")
    assert guard.health().faults == ({"actor": 2} if faults else {})
    assert (records[0].actor is not None) == (faults == 0)


@pytest.mark.parametrize("place", ["actor", "outlet"])
def test_evidence_that_reads_guarded_data_itself_comes_to_an_end(place):
    """An actor or an outlet that goes through the guard again neither hangs nor stops the call."""
    guard = keyed(mode="observe", actor=lambda: inner() if place == "actor" else "ada")

    @guard.access("buyer")
    def inner():
        return "ada"

    class Outlet:
        """An outlet that looks somebody up for each record."""

        def record(self, record):
            inner()

    records = []

    def run():
        with capture(guard) as seen, guard.purpose("order.delivery"):
            if place == "outlet":
                seen.record = lambda record: (list.append(seen, record), Outlet().record(record))
            assert inner() == "ada"
            records.extend(seen)

    worker = threading.Thread(target=run)
    worker.start()
    worker.join(60)
    assert not worker.is_alive()
    reasons = {record.reason for record in records}
    assert "granted" in reasons
    assert reasons <= {"granted", "check_failed"}  # where the stack ends, a check may fail


def test_an_outlet_that_fails_is_counted_and_changes_nothing():
    """What an outlet raises neither grants, nor denies, nor keeps the record from another one."""
    guard = keyed()

    class Broken(list):
        def record(self, record):
            raise OSError("disk full")

    with capture(guard) as broken, capture(guard) as records:
        broken.record = Broken().record
        with guard.purpose("order.delivery"):
            guard.check("buyer")
        with guard.purpose("advice"), pytest.raises(OutOfPurposeError):
            guard.check("buyer")
    assert [record.reason for record in records] == ["granted", "item_excess"]
    assert sum(guard.health().faults.values()) == 2


def test_faults_are_counted_right_under_threads():
    """Outlets that fail in eight threads at once are all counted, while somebody reads."""
    faults = Faults()
    seen = []

    def fail():
        for _ in range(5_000):
            faults.add("spans")
            faults.add("events")

    threads = [threading.Thread(target=fail) for _ in range(8)]
    for each in threads:
        each.start()
    while any(each.is_alive() for each in threads):
        seen.append(dict(faults))
    for each in threads:
        each.join(60)
    assert dict(faults) == {"spans": 40_000, "events": 40_000}
    assert len(faults) == 2
    assert all(value <= 40_000 for each in seen for value in each.values())


def test_a_nested_access_has_the_nearest_subject():
    """The nearest scope that names a person wins, and an access's own beats it."""
    key = SubjectKey(SUBJECT_KEY)
    guard = keyed()

    @guard.access("buyer", subject="number")
    def load(number):
        return number

    async def outer():
        with guard.purpose("order.delivery", subject=1), guard.purpose("order", subject=2):
            guard.check("buyer")
            load(3)
            await asyncio.to_thread(load, 4)
            guard.check("employee", items=["name"])

    with capture(guard) as records:
        asyncio.run(outer())
    wanted = [("buyer", 2), ("buyer", 3), ("buyer", 4), ("employee", 2)]
    assert [record.subjects for record in records] == [
        (key.hash(f"subject:{category}", number),) for category, number in wanted
    ]


def test_a_record_is_there_before_the_data_is():
    """The record is kept before the body runs, and stays if the body fails."""
    guard = keyed()
    with capture(guard) as records:

        @guard.access("buyer", purpose="order.delivery")
        def load():
            assert len(records) == 1
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            load()
        with pytest.raises(AccessDeniedError):
            guard.check("buyer")
    assert [record.outcome for record in records] == ["permit", "gap"]
