"""Each writer, and what it makes true."""

import time
from datetime import UTC, date, datetime, timedelta, timezone
from uuid import UUID

import pytest
from sqlalchemy import insert
from subject_kit import KEY, customer, day, facts_of, subject

from purposeguard.subjects.facts import NOTHING
from purposeguard.subjects.keys import SubjectKey
from purposeguard.subjects.sql.tables import EVENTS
from purposeguard.subjects.store import SubjectStore

LATER = timedelta(days=1)


def test_it_is_a_subject_store(store):
    """It has what the guard asks for."""
    assert isinstance(store, SubjectStore)
    assert store.key_id == SubjectKey(KEY).id
    assert (store.timeout, store.cache_seconds) == (1.0, 1.0)


def test_nobody_is_on_record_at_first(store):
    """People without a record are left out."""
    store.collected("candidate", 1, on=date(2024, 1, 1))
    assert store.facts([subject(2)]) == {}
    assert store.facts([]) == {}
    assert set(store.facts([subject(1), subject(2)])) == {subject(1)}


def test_collected(store):
    """The day of the last collection counts."""
    store.collected("candidate", 1, on=date(2024, 1, 1))
    assert facts_of(store, subject(1)).collected == date(2024, 1, 1)
    store.collected("candidate", 1, on=date(2024, 3, 1))
    store.collected("candidate", 1, on=date(2024, 2, 1))
    assert facts_of(store, subject(1)).collected == date(2024, 3, 1)


def test_many_collected_at_once(store):
    """As one by one, also where somebody comes twice."""
    assert store.collected_many("candidate", []) == 0
    people = [(number, date(2024, 1, 1)) for number in range(1000)]
    assert store.collected_many("candidate", iter([*people, (7, date(2024, 1, 2))])) == 1001
    found = store.facts([subject(number) for number, _ in people])
    assert len(found) == 1000
    assert found[subject(7)].collected == date(2024, 1, 2)
    assert found[subject(8)].collected == date(2024, 1, 1)


def test_a_person_is_one_in_each_category(store):
    """Candidate 7 and customer_admin 7 are not the same, 7 and "7" are."""
    store.use_suspended("candidate", 7)
    assert facts_of(store, subject("7")).use_suspended
    assert facts_of(store, subject(7, "customer_admin")) == NOTHING
    assert facts_of(store, customer(7)) == NOTHING


def test_people_are_named_by_uuid_too(store):
    """And by the text of it."""
    name = UUID("12345678123456781234567812345678")
    store.use_suspended("candidate", name)
    assert facts_of(store, subject(str(name))).use_suspended


@pytest.mark.parametrize("what", ["use", "provision"])
def test_suspended_and_resumed(store, what):
    """One doesn't touch the other."""
    other = {"use": "provision", "provision": "use"}[what]
    getattr(store, f"{what}_suspended")("candidate", 1)
    assert getattr(facts_of(store, subject(1)), f"{what}_suspended")
    assert not getattr(facts_of(store, subject(1)), f"{other}_suspended")
    getattr(store, f"{what}_resumed")("candidate", 1)
    assert facts_of(store, subject(1)) == NOTHING


def test_erased_and_known_again(store):
    """Who is erased has no day of collection, until they are collected anew."""
    store.collected("candidate", 1, on=date(2024, 1, 1))
    store.erased("candidate", 1)
    assert facts_of(store, subject(1)).erased
    assert facts_of(store, subject(1)).collected is None
    tokyo = timezone(timedelta(hours=9))
    now = datetime.now(tokyo)
    store.collected("candidate", 1, on=now)
    assert not facts_of(store, subject(1)).erased
    assert facts_of(store, subject(1)).collected == now.date()


def test_an_old_collection_noted_late_does_not_undo_an_erasure(store):
    """What was collected before is what was erased."""
    store.erased("candidate", 1)
    store.collected("candidate", 1, on=date(2024, 1, 1))
    assert facts_of(store, subject(1)).erased


@pytest.mark.parametrize(("days", "known"), [(0, False), (1, False), (2, True)])
def test_a_day_that_was_over_somewhere_is_before_the_erasure(store, days, known):
    """A nightly job that notes yesterday's collections brings nobody back."""
    store.erased("candidate", 1, at=datetime(2024, 1, 2, 11, tzinfo=UTC))  # the 3rd in Kiritimati
    store.collected("candidate", 1, on=date(2024, 1, 1 + days))
    assert facts_of(store, subject(1)).erased is not known


@pytest.mark.parametrize(
    ("start", "end", "again", "fact"),
    [
        ("use_suspended", "use_resumed", "use_suspended", "use_suspended"),
        ("provision_suspended", "provision_resumed", "provision_suspended", "provision_suspended"),
        ("mandate_ended", "mandate_given", "mandate_ended", "mandate"),
    ],
)
def test_what_was_planned_falls_where_the_contrary_is_noted(store, start, end, again, fact):
    """What stops data counts, and a plan made before it doesn't end it."""
    customer_, denied = fact == "mandate", fact != "mandate"
    person = ("acme",) if customer_ else ("candidate", 1)
    key = customer("acme") if customer_ else subject(1)
    soon = datetime.now(UTC) + timedelta(seconds=1)
    for what, given in ((start, {}), (end, {"at": soon}), (again, {})):
        getattr(store, what)(*person, **given)
    while datetime.now(UTC) <= soon:
        time.sleep(0.05)
    assert getattr(facts_of(store, key), fact) is denied
    getattr(store, end)(*person)
    assert getattr(facts_of(store, key), fact) is not denied


def test_a_contract_that_ended_meanwhile_does_not_go_on_as_planned(store):
    """Nor does one resumed later end by it."""
    soon = datetime.now(UTC) + timedelta(seconds=1)
    who = {"category": "candidate", "subject": 1}
    store.contract_resumed(**who, at=soon)
    store.contract_ended(**who, on=date(2024, 1, 1))
    while datetime.now(UTC) <= soon:
        time.sleep(0.05)
    assert facts_of(store, subject(1)).contract_ended is None  # it ended before the plan
    store.contract_resumed(**who, at=datetime.now(UTC) + timedelta(seconds=1))
    store.contract_ended(**who, on=datetime.now(UTC).date())
    time.sleep(1.1)
    assert facts_of(store, subject(1)).contract_ended == datetime.now(UTC).date()
    store.contract_resumed(**who)
    assert facts_of(store, subject(1)).contract_ended is None


def test_many_erased_at_once(store):
    """As one by one."""
    store.collected_many("candidate", [(number, date(2024, 1, 1)) for number in range(5)])
    assert store.erased_many("candidate", range(1, 4)) == 3
    erased = [facts_of(store, subject(number)).erased for number in range(5)]
    assert erased == [False, True, True, True, False]


def test_suspension_outlives_erasure(store):
    """Who has objected has objected, whatever is collected later."""
    store.use_suspended("candidate", 1)
    store.erased("candidate", 1)
    store.collected("candidate", 1, on=datetime.now(UTC).date())
    assert facts_of(store, subject(1)).use_suspended


@pytest.mark.parametrize(
    ("names", "person"),
    [
        ({"customer": "acme"}, customer("acme")),
        ({"category": "candidate", "subject": 1}, subject(1)),
    ],
)
def test_contract_ended_and_resumed(store, names, person):
    """Of a customer, or of a person."""
    store.contract_ended(**names, on=date(2024, 5, 1))
    assert facts_of(store, person).contract_ended == date(2024, 5, 1)
    store.contract_resumed(**names)
    assert facts_of(store, person) == NOTHING


def test_a_contract_that_is_to_end_runs_until_then(store):
    """A day to come doesn't count yet; today does, wherever it is today."""
    now = datetime.now(UTC)
    store.contract_ended(customer="acme", on=now.date() + 3 * LATER)
    assert facts_of(store, customer("acme")) == NOTHING
    there = (now + timedelta(hours=13, minutes=50)).date()
    store.contract_ended(customer="acme", on=there)
    assert facts_of(store, customer("acme")).contract_ended == there


def test_mandate_given_and_ended(store):
    """With a reference or without."""
    store.mandate_given("acme", reference="contract-17/2024")
    assert facts_of(store, customer("acme")).mandate
    store.mandate_ended("acme")
    assert not facts_of(store, customer("acme")).mandate
    store.mandate_given("acme")
    assert facts_of(store, customer("acme")).mandate


def test_events_count_in_the_order_of_their_times(store):
    """In whichever order they were written."""
    store.use_resumed("candidate", 1, at=day(3))
    store.use_suspended("candidate", 1, at=day(2))
    assert not facts_of(store, subject(1)).use_suspended
    store.use_suspended("candidate", 1, at=day(4))
    assert facts_of(store, subject(1)).use_suspended


def test_events_of_one_time_count_as_they_were_written(store):
    """The id decides."""
    for _ in range(3):
        store.use_suspended("candidate", 1, at=day(2))
        store.use_resumed("candidate", 1, at=day(2))
    assert not facts_of(store, subject(1)).use_suspended


def test_times_are_compared_across_time_zones(store):
    """Noon in Tokyo is before noon in London."""
    store.use_suspended("candidate", 1, at=day(2))
    store.use_resumed("candidate", 1, at=datetime.fromisoformat("2024-01-02T12:00:00+09:00"))
    assert facts_of(store, subject(1)).use_suspended


def test_events_to_come_do_not_count_yet(store):
    """Each comes to count at its time."""
    soon = datetime.now(UTC) + LATER
    store.use_suspended("candidate", 1, at=soon)
    store.mandate_given("acme", at=soon)
    store.consent_given(wording="v1", category="candidate", subject=1, purpose="marketing", at=soon)
    store.collected("candidate", 1, on=soon.date() + 2 * LATER)
    store.request_received("candidate", 1, kind="erasure", form="prescribed", at=soon)
    assert store.facts([subject(1), customer("acme")]) == {}
    assert store.requests_open() == []
    assert list(store.kept("candidate")) == []
    assert len(store.history(category="candidate", subject=1)) == 4


@pytest.mark.parametrize("told", [False, True], ids=["now", "now, told"])
@pytest.mark.parametrize("ahead", [timedelta(seconds=5), LATER])
def test_a_clock_that_was_ahead_changes_no_order(store, place, ahead, told):
    """A withdrawal beats the consent before it, though it was written by a clock that was ahead."""
    names = {"category": "candidate", "subject": 1, "purpose": "marketing"}
    store.consent_given(wording="v1", **names)
    [given] = store.history(category="candidate", subject=1)
    elsewhere = datetime.now(UTC) + ahead
    row = {
        "person": given.person,
        "role": given.role,
        "category": given.category,
        "kind": given.kind,
        "at": elsewhere,
        "recorded": elsewhere,
        "details": dict(given.details),
    }
    with place.engine.begin() as connection:
        connection.execute(insert(EVENTS).values(row))
    assert [each.withdrawn for each in facts_of(store, subject(1)).consents] == [None, None]
    store.consent_withdrawn(**names, at=datetime.now(UTC) if told else None)
    assert all(each.withdrawn for each in facts_of(store, subject(1)).consents)


def test_kept_names_everybody_who_is_collected_and_not_erased(store):
    """With the days that retention is counted from."""
    store.collected_many("candidate", [(number, date(2024, 1, 1)) for number in range(4)])
    store.collected("visitor", 9, on=date(2024, 1, 1))
    store.use_suspended("candidate", 77)
    store.erased("candidate", 2)
    store.contract_ended(category="candidate", subject=3, on=date(2024, 6, 1))
    found = {each.person: each for each in store.kept("candidate")}
    assert set(found) == {subject(0), subject(1), subject(3)}
    assert found[subject(3)].collected == date(2024, 1, 1)
    assert found[subject(3)].contract_ended == date(2024, 6, 1)
    assert found[subject(1)].contract_ended is None
    assert {each.category for each in found.values()} == {"candidate"}
