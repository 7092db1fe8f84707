"""What is kept: all of it, for good, and nothing personal."""

from dataclasses import FrozenInstanceError
from datetime import UTC, date, datetime

import pytest
from subject_kit import KEY, customer, day, facts_of, subject

from purposeguard.exceptions import SubjectStoreError
from purposeguard.subjects.keys import SubjectKey
from purposeguard.subjects.sql import Kind

CANARIES = ("Kanariya Torii", "torii@example.com", "4711471147114711", "090-1234-5678")


def write_all(store, who, buyer):
    """Use each writer."""
    person = {"category": "candidate", "subject": who}
    store.collected(**person, on=date(2024, 1, 1))
    store.collected_many("candidate", [(who, date(2024, 1, 1))])
    store.consent_given(wording="v1", proof="form-1", **person, purpose="marketing")
    store.consent_given(by="customer", wording="v1", customer=buyer, recipient="ad_distributors")
    store.consent_withdrawn(**person, purpose="marketing")
    store.consent_withdrawn(by="customer", customer=buyer, recipient="ad_distributors")
    store.contract_ended(**person, on=date(2024, 1, 2))
    store.contract_resumed(**person)
    store.contract_ended(customer=buyer, on=date(2024, 1, 2))
    store.contract_resumed(customer=buyer)
    store.mandate_given(buyer, reference="contract-1")
    store.mandate_ended(buyer)
    request = store.request_received(**person, kind="erasure", form="prescribed")
    store.request_verified(request)
    store.request_authorised(request, buyer)
    store.request_answered(request, "accepted", reason="on_time")
    for what in ("use", "provision"):
        getattr(store, f"{what}_suspended")(**person, request=request)
        getattr(store, f"{what}_resumed")(**person)
    store.erased(**person, request=request)
    store.erased_many("candidate", [who])


def test_history_is_all_that_was_written(store):
    """Oldest first, for a person and for a customer; each kind of event is there."""
    before = datetime.now(UTC)
    write_all(store, 1, "acme")
    person = store.history(category="candidate", subject=1)
    buyer = store.history(customer="acme")
    assert {each.kind for each in (*person, *buyer)} == set(Kind)
    assert len(person) == 16
    assert len(buyer) == 6
    for events, key in ((person, subject(1)), (buyer, customer("acme"))):
        assert {each.person for each in events} == {key}
        assert events == sorted(events, key=lambda each: (each.at, each.id))
        assert all(before <= each.recorded <= datetime.now(UTC) for each in events)
    with pytest.raises(FrozenInstanceError):
        person[0].kind = "another"
    assert store.history(customer="nobody") == []


def test_history_never_shrinks(store, place):
    """Rows only come: each that was there is there afterwards, as it was."""
    rows = []
    for number in (1, 2, 1):
        write_all(store, number, "acme")
        now = place.rows("purposeguard_subject_events")
        assert now[: len(rows)] == rows
        assert len(now) == len(rows) + 22
        rows = now


def test_all_is_there_after_a_restart(place):
    """Another store in the same database knows the same, and goes on from there."""
    with place.open() as store:
        write_all(store, 1, "acme")
        store.consent_given(wording="v2", category="candidate", subject=2, purpose="marketing")
        people = [subject(1), subject(2), customer("acme")]
        facts, history = store.facts(people), store.history(category="candidate", subject=1)
    with place.open() as store:
        assert store.facts(people) == facts
        assert store.history(category="candidate", subject=1) == history
        store.use_suspended("candidate", 2)
        assert len(store.history(category="candidate", subject=2)) == 2


def test_who_acts_is_kept_as_a_keyed_hash(place):
    """Or nobody, where there is nobody."""
    acting = ["clerk 7"]
    with place.open(actor=lambda: acting[0]) as store:
        store.use_suspended("candidate", 1)
        acting[0] = None
        store.use_resumed("candidate", 1)
        acting[0] = object()
        with pytest.raises(SubjectStoreError, match="the actor is no"):
            store.use_suspended("candidate", 1)
        history = store.history(category="candidate", subject=1)
    assert [each.actor for each in history] == [SubjectKey(KEY).hash("actor", "clerk 7"), None]


def test_an_actor_that_fails_writes_nothing(place):
    """What it raises goes through."""

    def actor():
        raise LookupError("outside of a request")

    with place.open(actor=actor) as store:
        with pytest.raises(LookupError):
            store.use_suspended("candidate", 1)
        assert store.history(category="candidate", subject=1) == []


@pytest.mark.parametrize("canary", CANARIES)
def test_nothing_personal_is_kept(place, tmp_path, canary):
    """In no column, and in no byte of a file."""
    with place.open(actor=lambda: canary) as store:
        write_all(store, canary, canary)
        assert canary not in repr(store)
        history = store.history(category="candidate", subject=canary)
        assert canary not in repr((history, facts_of(store, subject(canary))))
        for table in ("events", "store", "schema"):
            assert canary not in repr(place.rows(f"purposeguard_subject_{table}"))
        if place.sqlite:
            for file in tmp_path.glob("subjects.db*"):
                assert canary.encode() not in file.read_bytes()


@pytest.mark.parametrize("canary", CANARIES[:2])
def test_nothing_personal_passes_for_a_name(store, canary):
    """Where a key belongs, or a reference, it is refused without a word of it."""
    person = {"category": "candidate", "subject": 1}
    consent = {"wording": "v1", **person, "purpose": "marketing"}
    request = {**person, "kind": "erasure", "form": "prescribed"}
    writes = [
        lambda: store.collected(canary, 1, on=date(2024, 1, 1)),
        *(
            lambda name=name: store.consent_given(**{**consent, name: canary})
            for name in ("by", "purpose", "recipient", "source", "wording", "proof")
        ),
        *(
            lambda name=name: store.request_received(**{**request, name: canary})
            for name in ("category", "kind", "form")
        ),
        lambda: store.mandate_given("acme", reference=canary),
        lambda: store.use_suspended("candidate", canary, request=canary),
        lambda: store.history(category=canary, subject=1),
        lambda: list(store.kept(canary)),
    ]
    for write in writes:
        with pytest.raises(SubjectStoreError) as caught:
            write()
        assert canary not in str(caught.value)
    assert store.history(**person) == []


def test_times_are_utc(store):
    """However they were given."""
    store.use_suspended("candidate", 1, at=datetime.fromisoformat("2024-01-02T21:00:00+09:00"))
    [event] = store.history(category="candidate", subject=1)
    assert event.at == day(2)
    assert event.at.utcoffset() == event.recorded.utcoffset() == day(2).utcoffset()
