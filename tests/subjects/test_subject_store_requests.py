"""Data-subject requests, from received to answered."""

from collections import Counter

import pytest
from subject_kit import customer, day, facts_of, in_threads, subject

from purposeguard import PurposeGuardError
from purposeguard.exceptions import SubjectStoreError


def received(store, number=1, at=None, kind="disclosure"):
    """Note a request of a candidate."""
    return store.request_received("candidate", number, kind=kind, form="prescribed", at=at)


def test_a_request_goes_its_way(store):
    """Each step is on record with its time."""
    request = received(store, at=day(1))
    assert type(request) is int
    store.request_verified(request, at=day(2))
    store.request_authorised(request, "acme", at=day(3))
    [found] = facts_of(store, subject(1)).requests
    assert (found.id, found.kind, found.form) == (request, "disclosure", "prescribed")
    assert (found.received, found.verified, found.authorised) == (day(1), day(2), day(3))
    assert found.authorised_by == customer("acme")
    assert (found.outcome, found.closed) == (None, None)
    store.request_answered(request, "refused", reason="not_in_scope", at=day(4))
    [found] = facts_of(store, subject(1)).requests
    assert (found.outcome, found.closed) == ("refused", day(4))
    last = store.history(category="candidate", subject=1)[-1]
    assert dict(last.details) == {"outcome": "refused", "reason": "not_in_scope"}
    assert last.request == request


def test_requests_are_told_apart(store):
    """Of one person and of several."""
    first, second, other = received(store), received(store), received(store, 2)
    store.request_verified(second)
    assert [each.verified is not None for each in facts_of(store, subject(1)).requests] == [
        False,
        True,
    ]
    assert [each.id for each in facts_of(store, subject(2)).requests] == [other]
    assert len({first, second, other}) == 3


def test_open_requests(store):
    """Those without an answer, oldest first, with whom they are of."""
    first = received(store, 1, at=day(2), kind="erasure")
    second = received(store, 2, at=day(1))
    third = received(store, 1, at=day(3))
    store.request_verified(first)
    found = store.requests_open()
    assert [each.request.id for each in found] == [second, first, third]
    assert [each.person for each in found] == [subject(2), subject(1), subject(1)]
    assert found[1].category == "candidate"
    assert found[1].request.kind == "erasure"
    assert found[1].request.verified is not None
    store.request_answered(first, "none_held")
    assert [each.request.id for each in store.requests_open()] == [second, third]


def test_a_suspension_tells_its_request(store):
    """And so does an erasure."""
    request = received(store)
    store.use_suspended("candidate", 1, request=request)
    store.provision_suspended("candidate", 1, request=request)
    store.erased("candidate", 1, request=request)
    assert [each.request for each in store.history(category="candidate", subject=1)] == [
        None,
        request,
        request,
        request,
    ]
    with pytest.raises(SubjectStoreError, match="another person's"):
        store.use_suspended("candidate", 2, request=request)


def test_an_answer_and_its_effect_are_one(store):
    """Both are on record or neither is, and there is one answer only."""
    request = received(store)
    with pytest.raises(SubjectStoreError, match="can't bring about `collected`"):
        store.request_answered(request, "accepted", effect="collected")
    assert store.request_open(request).request.id == request
    store.request_answered(request, "accepted", effect="use_suspended")
    assert facts_of(store, subject(1)).use_suspended
    assert store.request_open(request) is None
    with pytest.raises(SubjectStoreError, match="answered already"):
        store.request_answered(request, "refused", effect="erased")
    assert [each.kind for each in store.history(category="candidate", subject=1)] == [
        "request_received",
        "request_answered",
        "use_suspended",
    ]


def test_of_many_answers_at_once_one_counts(store):
    """Whoever comes first."""
    request = received(store)
    counts = Counter()

    def answer():
        try:
            store.request_answered(request, "accepted", effect="erased")
        except SubjectStoreError as error:
            counts[str(error)] += 1

    in_threads([answer] * 8)
    assert list(counts.values()) == [7]
    assert len(store.history(category="candidate", subject=1)) == 3


@pytest.mark.parametrize("number", [0, -1, 4711, 2**63, 2**200])
def test_an_unknown_request_is_refused(store, number):
    """By each writer, without its number: it might be somebody's."""
    for write in (
        lambda: store.request_verified(number),
        lambda: store.request_authorised(number, "acme"),
        lambda: store.request_answered(number, "accepted"),
        lambda: store.use_suspended("candidate", 1, request=number),
    ):
        with pytest.raises(SubjectStoreError, match="there is no request with this id") as caught:
            write()
        assert str(number) not in str(caught.value)
        assert isinstance(caught.value, PurposeGuardError)


def test_another_event_is_no_request(store):
    """Though it has an id."""
    store.use_suspended("candidate", 1)
    [event] = store.history(category="candidate", subject=1)
    with pytest.raises(SubjectStoreError, match="there is no request with this id"):
        store.request_verified(event.id)


@pytest.mark.parametrize("value", [True, "1", None, 1.0])
def test_a_request_is_named_by_its_id(store, value):
    """Anything else is refused."""
    with pytest.raises(SubjectStoreError, match="is named by the id"):
        store.request_verified(value)
