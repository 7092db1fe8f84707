"""Calls and blocks: stacked accesses, both nouns at once, the decision of a block, questions."""

import asyncio
import inspect

import pytest

from purposeguard import (
    Access,
    AccessDeniedError,
    Decision,
    Guard,
    Outcome,
    OutOfPurposeError,
    Reason,
    UndecidedAccessError,
    UnknownNameError,
    bundled_policy,
)
from purposeguard.testing import capture

POLICY = bundled_policy("smarthr")
SELECTION = "recruitment.selection"


@pytest.fixture
def guard():
    """Return a guard that enforces."""
    return Guard(POLICY)


def as_function(ran):
    """Return a function that notes that it ran."""

    def function():
        ran.append("ran")
        return "data"

    return function


def as_coroutine(ran):
    """Return a coroutine function that notes that it ran."""

    async def coroutine():
        ran.append("ran")
        return "data"

    return coroutine


def as_generator(ran):
    """Return a generator function that notes that it ran."""

    def generator():
        ran.append("ran")
        yield "data"

    return generator


def as_async_generator(ran):
    """Return an async generator function that notes that it ran."""

    async def async_generator():
        ran.append("ran")
        yield "data"

    return async_generator


MAKES = [as_function, as_coroutine, as_generator, as_async_generator]


def run(call):
    """Call, and run what comes of it to its end."""
    result = call()
    if inspect.iscoroutine(result):
        return asyncio.run(result)
    if inspect.isasyncgen(result):

        async def collected():
            return [each async for each in result]

        return asyncio.run(collected())
    return list(result) if inspect.isgenerator(result) else result


# Several categories.


@pytest.mark.parametrize("make", MAKES)
@pytest.mark.parametrize("denied", ["outer", "inner", "both", "neither"])
def test_nothing_runs_before_all_stacked_accesses_are_permitted(guard, make, denied):
    """Each access is one of its own; the body runs where all of them permit, and only there."""
    ran = []
    granted, refused = "enquirer", "visitor"
    outer = refused if denied in ("outer", "both") else granted
    inner = refused if denied in ("inner", "both") else "customer_admin"
    call = guard.access(outer, items=["name"])(guard.access(inner, items=["name"])(make(ran)))
    with capture(guard) as records, guard.purpose("marketing.information"):
        if denied == "neither":
            run(call)
        else:
            with pytest.raises(OutOfPurposeError) as caught:
                run(call)
            assert caught.value.decision.category == "visitor"
    assert bool(ran) == (denied == "neither")
    assert bool([each for each in records if each.category == "visitor"]) == (denied != "neither")
    if denied == "neither":
        assert [record.category for record in records] == ["enquirer", "customer_admin"]
        assert all(record.outcome == "permit" for record in records)


@pytest.mark.parametrize("make", MAKES)
def test_observed_stacked_accesses_are_all_recorded(make):
    """Each denial is on record and the body runs once."""
    guard = Guard(POLICY, mode="observe")
    ran = []
    call = guard.access("visitor")(guard.access("candidate")(make(ran)))
    with capture(guard) as records, guard.purpose("support.customer"):
        run(call)
    assert ran == ["ran"]
    assert sorted(record.category for record in records) == ["candidate", "visitor"]
    assert all(record.reason == "not_granted" for record in records)


# Both nouns at once.


@pytest.mark.parametrize("make", MAKES)
def test_an_access_may_declare_its_purpose(guard, make):
    """One line says what and why, for itself and for the accesses inside."""
    ran = []

    @guard.access("candidate", items=["name"])
    def inner():
        ran.append("inner")

    body = make(ran)
    if make is as_function:

        def body():
            inner()
            return "data"

    one_liner = guard.access("candidate", items=["name"], purpose=SELECTION)(body)
    with capture(guard) as records:
        run(one_liner)
    assert {record.purpose for record in records} == {SELECTION}
    assert len(records) == (2 if make is as_function else 1)
    with pytest.raises(UndecidedAccessError):
        inner()


def test_a_declared_purpose_intersects_with_the_one_in_force(guard):
    """A one-liner widens nothing."""
    one_liner = guard.access("candidate", items=["name"], purpose=SELECTION)(lambda: "data")
    with guard.purpose("recruitment"):
        assert one_liner() == "data"
    with guard.purpose("marketing.information"), pytest.raises(OutOfPurposeError):
        one_liner()


# Blocks.


def test_a_block_gives_its_decision(guard):
    """With what it rests on."""
    with guard.purpose(SELECTION), guard.access("candidate", items=["name"]) as decision:
        assert isinstance(decision, Decision)
        assert decision.permitted
    assert (decision.outcome, decision.reason) == (Outcome.PERMIT, Reason.GRANTED)
    assert (decision.category, decision.purpose) == ("candidate", SELECTION)
    assert decision.items == ("name",)
    assert decision.clauses == ("H2(i)f-1",)
    assert decision.policy_digest == POLICY.digest
    assert decision.explain().startswith(f"purpose `{SELECTION}` may access `candidate` (name)")


def test_a_denied_block_does_not_run(guard):
    """It raises when it is entered, and what was in force before is in force after."""
    scope = guard.access("candidate", purpose="marketing.information")
    with guard.purpose(SELECTION):
        with pytest.raises(OutOfPurposeError):
            scope.__enter__()
        assert guard.check("candidate").permitted


def test_an_observed_denial_gives_its_decision_and_goes_on():
    """The block can look at it."""
    guard = Guard(POLICY, mode="observe")
    with guard.purpose("support.customer"), guard.access("candidate") as decision:
        assert decision.reason is Reason.NOT_GRANTED
    assert not decision.permitted


def test_async_blocks_are_blocks(guard):
    """The same answers under `async with`."""

    async def main():
        async with guard.purpose(SELECTION):
            async with guard.access("candidate", items=["name"]) as decision:
                assert decision.permitted
            with pytest.raises(OutOfPurposeError):
                async with guard.access("visitor"):
                    pytest.fail("the block ran")
        with pytest.raises(UndecidedAccessError):
            async with guard.access("candidate"):
                pytest.fail("the block ran")
        async with guard.access("candidate", purpose=SELECTION) as decision:
            assert guard.check("candidate").permitted
        return decision

    assert asyncio.run(main()).purpose == SELECTION


def test_an_access_block_with_a_purpose_ends_it(guard):
    """Inside it is in force, afterwards it is not."""
    with guard.access("candidate", purpose=SELECTION):
        assert guard.check("candidate").permitted
    with pytest.raises(UndecidedAccessError):
        guard.check("candidate")


# Questions.


def test_a_check_decides_records_and_raises(guard):
    """Where there is no call to wrap."""
    with capture(guard) as records, guard.purpose(SELECTION):
        assert guard.check("candidate", items=["name"]).permitted
        with pytest.raises(OutOfPurposeError) as caught:
            guard.check("candidate", items=["name"], recipient="sponsor")
    assert caught.value.decision.reason is Reason.RECIPIENT_NOT_LISTED
    assert [record.reason for record in records] == ["granted", "recipient_not_listed"]
    assert all(
        record.function.endswith("test_a_check_decides_records_and_raises") for record in records
    )


def test_the_pure_question_leaves_no_trace(guard):
    """It looks at no context, records nothing and raises nothing."""
    asked = Access("candidate", purposes=[SELECTION], items=["name"])
    with capture(guard) as records, guard.purpose("marketing.information"):
        assert guard.decide(asked).permitted
        assert guard.decide(Access("candidate")).reason is Reason.PURPOSE_UNDECLARED
        assert guard.decide(Access("nobody", purposes=[SELECTION])).reason is (
            Reason.CATEGORY_UNKNOWN
        )
        assert guard.decide(Access(None, purposes="x")).reason is Reason.CHECK_FAILED
    assert records == []
    assert Guard().decide(asked).reason is Reason.POLICY_NOT_LOADED


def test_granted_items_are_what_the_purposes_in_force_may_see(guard):
    """In policy order, for selecting columns; what needs evidence is left out."""

    def granted(category, *purposes):
        if purposes:
            with guard.purpose(purposes[0]):
                return granted(category, *purposes[1:])
        return guard.granted_items(category)

    assert granted("candidate", SELECTION) == ("name", "affiliation", "contact", "work_history")
    assert granted("customer_admin", "contract.execution") == ("name", "affiliation", "contact")
    assert granted("customer_admin", "analytics.service_development")[-1] == "usage_log"
    assert granted("customer_admin", "analytics.service_development", "support.customer") == (
        *("name", "affiliation", "contact"),
    )
    assert granted("candidate") == ()
    assert granted("candidate", "recruitment") == ()
    assert granted("candidate", "support.customer") == ()
    assert granted("nobody", SELECTION) == ()
    assert granted("entrusted", "entrusted.service_delivery") == ()
    assert Guard().granted_items("candidate") == ()


@pytest.mark.parametrize("category", [None, 7, b"candidate", ["candidate"]])
def test_granted_items_of_what_is_no_category_are_none(guard, category):
    """Nothing is granted, and nothing raises."""
    with guard.purpose(SELECTION):
        assert guard.granted_items(category) == ()


def test_errors_tell_outcomes_apart(guard):
    """A violation and a gap are errors of their own, and both are denials."""
    with guard.purpose("marketing.information"), pytest.raises(AccessDeniedError) as violation:
        guard.check("candidate")
    with pytest.raises(AccessDeniedError) as gap:
        guard.check("candidate")
    assert type(violation.value) is OutOfPurposeError
    assert violation.value.decision.outcome is Outcome.VIOLATION
    assert type(gap.value) is UndecidedAccessError
    assert gap.value.decision.outcome is Outcome.GAP
    for caught in (violation, gap):
        assert str(caught.value) == caught.value.decision.explain()
        assert not isinstance(
            caught.value, AttributeError | LookupError | OSError | StopIteration | ValueError
        )


def test_a_denial_names_what_would_have_been_allowed(guard):
    """The purposes that fit, those without a condition first, and their clauses."""
    with guard.purpose("marketing.information"), pytest.raises(OutOfPurposeError) as caught:
        guard.check("candidate", items=["name", "work_history"])
    decision = caught.value.decision
    assert SELECTION in decision.allowed_purposes
    assert decision.allowed_purposes[-1] == "privacy.request_handling"
    assert "H2(i)f-1" in decision.allowed_clauses
    assert f"`{SELECTION}`" in str(caught.value)


def test_an_item_too_many_is_told_with_the_items_that_fit(guard):
    """An access that names no items asks for all of them."""
    with guard.purpose("contract.execution"), pytest.raises(OutOfPurposeError) as caught:
        guard.check("customer_admin")
    assert caught.value.decision.excess == ("usage_log",)
    assert 'ask for `items=["name", "affiliation", "contact"]` or fewer' in str(caught.value)


def test_a_bundled_policy_is_loaded_by_its_name():
    """Another name is an error with the nearest one."""
    assert bundled_policy("smarthr").name == "smarthr"
    with pytest.raises(UnknownNameError, match="there is `smarthr`") as caught:
        bundled_policy("smarthrr")
    assert caught.value.suggestion == "smarthr"
    with pytest.raises(UnknownNameError):
        bundled_policy(None)
