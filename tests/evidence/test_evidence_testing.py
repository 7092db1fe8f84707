"""`purposeguard.testing`: what happened as a list, and a block under another policy or mode."""

import threading

import pytest
from evidence_kit import OTHER, POLICY, POLICY_TEXT

from purposeguard import (
    AccessDeniedError,
    Guard,
    OutOfPurposeError,
    PolicyError,
    UndecidedAccessError,
    UnknownNameError,
)
from purposeguard.policy_file import parse_policy
from purposeguard.testing import Captured, capture, under


@pytest.fixture
def guard():
    """Return a guard of its own for each test."""
    return Guard(POLICY)


def touch(guard, purpose, category="buyer"):
    """Make one access, permitted or not."""
    with guard.purpose(purpose):
        try:
            guard.check(category)
        except AccessDeniedError as error:
            return error.decision.reason
    return "granted"


def test_capture_lists_what_happened_in_order(guard):
    """Permitted and denied accesses are records, told apart, with their pairs."""
    with capture(guard) as accesses:
        assert isinstance(accesses, Captured)
        touch(guard, "order.delivery")
        touch(guard, "advice")
        assert len(accesses) == 2  # it fills while the block is open
    touch(guard, "order.delivery")
    assert [each.purpose for each in accesses] == ["order.delivery", "advice"]
    assert [each.purpose for each in accesses.permitted] == ["order.delivery"]
    assert [each.purpose for each in accesses.denied] == ["advice"]
    assert accesses.pairs() == {("buyer", "order.delivery"), ("buyer", "advice")}


def test_captures_nest_and_stand_side_by_side(guard):
    """An inner capture takes nothing from an outer one, and each ends by itself."""
    with capture(guard) as outer:
        touch(guard, "advice")
        with capture(guard) as inner, capture(guard) as beside:
            touch(guard, "order.delivery")
        touch(guard, "advice")
    assert [each.purpose for each in outer] == ["advice", "order.delivery", "advice"]
    assert inner == beside == outer[1:2]
    first, second = capture(guard), capture(guard)
    one = first.__enter__()
    two = second.__enter__()
    touch(guard, "advice")
    first.__exit__(None, None, None)
    touch(guard, "order.delivery")
    second.__exit__(None, None, None)
    assert (len(one), len(two)) == (1, 2)


def test_two_captures_of_equal_content_are_told_apart(guard):
    """Two empty captures are equal as lists: leaving one must not end the other."""
    with capture(guard) as outer:
        with capture(guard):
            pass
        touch(guard, "advice")
    assert len(outer) == 1


def test_capture_is_of_one_guard(guard):
    """Another guard's accesses are not in the list."""
    other = Guard(POLICY)
    with capture(guard) as accesses:
        touch(other, "advice")
    assert accesses == []


def test_capture_takes_other_threads_too(guard):
    """Accesses of eight threads are all there, once each."""
    with capture(guard) as accesses:
        threads = [
            threading.Thread(target=lambda: [touch(guard, "order.delivery") for _ in range(50)])
            for _ in range(8)
        ]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
    assert len(accesses) == 400


@pytest.mark.parametrize("block", [capture, lambda guard: under(guard, mode="observe")])
def test_an_exception_in_the_block_restores(guard, block):
    """Whatever ends the block, the guard is afterwards as it was, and the exception goes on."""
    before = guard._hub.state
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), block(guard):
            raise error
    after = guard._hub.state
    assert (after.policy, after.modes, after.outlets) == (before.policy, before.modes, ())
    with pytest.raises(OutOfPurposeError):
        guard.check("buyer", purpose="advice")


def test_a_denial_that_ends_the_block_is_in_the_list(guard):
    """The usual test: the denied call raises out of the block, and is there to be looked at."""
    with pytest.raises(OutOfPurposeError), capture(guard) as accesses:
        guard.check("buyer", purpose="advice")
    assert [each.reason for each in accesses.denied] == ["item_excess"]


def test_under_another_policy(guard):
    """The block is judged by the other policy, and the code after it by the one before."""
    assert touch(guard, "outreach.mail") == "item_excess"
    with under(guard, policy=OTHER) as same:
        assert same is guard
        assert guard.policy is OTHER
        assert touch(guard, "outreach.mail") == "granted"
    assert guard.policy is POLICY
    assert touch(guard, "outreach.mail") == "item_excess"


def test_under_another_mode(guard):
    """A block can observe, and one in it enforce again."""
    with under(guard, mode="observe"), capture(guard) as accesses:
        guard.check("buyer", purpose="advice")
        with under(guard, mode="enforce"), pytest.raises(OutOfPurposeError):
            guard.check("buyer", purpose="advice")
        guard.check("buyer", purpose="advice")
    assert [each.mode for each in accesses] == ["observe", "enforce", "observe"]


def test_under_patterns_of_modes(guard):
    """Patterns move some accesses; the mode of the rest stays what it was."""
    with under(guard, modes={"buyer:advice": "observe"}):
        guard.check("buyer", purpose="advice")
        with pytest.raises(OutOfPurposeError):
            guard.check("buyer", purpose="outreach")


def test_what_under_is_not_given_stays_as_it_is():
    """Another policy alone changes no mode, and a mode alone is the mode of every access."""
    guard = Guard(POLICY, mode="observe", modes={"buyer:outreach": "enforce"})
    with under(guard, policy=OTHER):
        guard.check("buyer", purpose="advice")
        with pytest.raises(OutOfPurposeError):
            guard.check("buyer", purpose="outreach")
    with under(guard, mode="observe"):
        guard.check("buyer", purpose="outreach")
    with under(guard, mode="enforce"), pytest.raises(OutOfPurposeError):
        guard.check("buyer", purpose="advice")


def test_under_gives_a_guard_a_policy_for_a_while():
    """A guard that has loaded nothing refuses everything before and after the block."""
    guard = Guard()
    with under(guard, policy=POLICY):
        assert touch(guard, "order.delivery") == "granted"
    with pytest.raises(UndecidedAccessError, match="no policy is loaded"):
        guard.check("buyer")


def test_under_judges_modes_and_leaves_all_as_it_was(guard):
    """A bad mode raises at the with-line, and nothing has changed."""
    for bad in ({"mode": "Enforce"}, {"modes": {"buyer": "observe"}}, {"mode": "off"}):
        with pytest.raises(UnknownNameError), under(guard, **bad):
            pytest.fail("the block must not run")
    assert touch(guard, "advice") == "item_excess"


def test_capture_and_under_nest_in_any_order(guard):
    """Leaving one keeps what the other has put in place."""
    outer = capture(guard)
    accesses = outer.__enter__()
    other = under(guard, policy=OTHER)
    other.__enter__()
    outer.__exit__(None, None, None)
    assert touch(guard, "outreach.mail") == "granted"
    other.__exit__(None, None, None)
    assert accesses == []
    assert touch(guard, "outreach.mail") == "item_excess"


def test_guarded_calls_follow_the_block(guard):
    """A function that was decorated and called before is judged anew inside and after the block."""

    @guard.access("buyer")
    def load():
        return 1

    @guard.access("buyer")
    def rows():
        yield 1
        yield 2

    lax = parse_policy(
        POLICY_TEXT.replace("items: [name, history]}", "items: [name, address, history]}")
    )
    with guard.purpose("advice"):
        with pytest.raises(OutOfPurposeError):
            load()
        with under(guard, policy=lax):
            assert load() == 1
            stepped = rows()
            next(stepped)
        with pytest.raises(OutOfPurposeError):
            load()
        with pytest.raises(OutOfPurposeError):
            next(stepped)


def test_a_block_under_a_policy_file(guard, tmp_path):
    """Named by its path, as `load` takes it; one that can't be used changes nothing."""
    file = tmp_path / "other.yaml"
    file.write_text(POLICY_TEXT.replace("policy: shop", "policy: other"), "utf-8")
    for path in (file, str(file)):
        with under(guard, policy=path):
            assert guard.policy.name == "other"
    before = guard.policy
    with pytest.raises(PolicyError, match=r"missing\.yaml"), under(guard, policy="missing.yaml"):
        raise AssertionError
    assert guard.policy is before
