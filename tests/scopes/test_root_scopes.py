"""Root scopes, which adapters open for requests, tasks and messages and come back to."""

import contextvars
import threading

import pytest
from opentelemetry.context import attach, get_current
from scope_world import in_child

from purposeguard import AccessDeniedError, Guard, UnknownNameError
from purposeguard.policy_file import parse_policy
from purposeguard.testing import capture

POLICY = parse_policy("""\
purposeguard: 1
policy: roots
version: "1"
purposes:
  hiring: {title: Hiring}
  hiring.selection: {title: Select whom to hire}
  hiring.contact: {title: Contact a candidate}
  ads: {title: Advertising}
categories:
  candidate: {title: Candidates, items: [name]}
  customer: {title: Customers, items: [name]}
matrix:
  candidate:
    hiring: {clauses: [A1]}
  customer:
    ads: {clauses: [A2]}
    hiring.contact: {clauses: [A3]}
...
""")


@pytest.fixture
def guard():
    """A guard under a small policy."""
    return Guard(POLICY)


def read(guard, category="candidate"):
    """Return the reason of an access's answer."""
    try:
        return guard.check(category).reason
    except AccessDeniedError as error:
        return error.decision.reason


def test_it_is_entered_as_often_as_needed_and_ended_once(guard):
    """Between two entries nothing is declared; after the end the purpose is closed."""
    scope = guard.open_root("hiring.selection")
    for _ in range(3):
        with scope:
            assert read(guard) == "granted"
        assert read(guard) == "purpose_undeclared"
    scope.end()
    scope.end()
    with scope:
        assert read(guard) == "purpose_closed"
    assert read(guard) == "purpose_undeclared"


def test_leaving_kills_nothing_and_the_end_kills_every_copy(guard):
    """What a streamed body holds from the view's time goes on until the response is closed."""
    scope = guard.open_root("hiring")
    with scope:
        copied = contextvars.copy_context()
    assert copied.run(read, guard) == "granted"
    scope.end()
    assert copied.run(read, guard) == "purpose_closed"


def test_another_thread_may_enter_it(guard):
    """A server iterates over a body wherever it likes."""
    scope = guard.open_root("hiring")
    found = []

    def step():
        with scope:
            found.append(read(guard))
        found.append(read(guard))

    thread = threading.Thread(target=step)
    thread.start()
    thread.join()
    scope.end()
    assert found == ["granted", "purpose_undeclared"]


def test_it_hides_the_chain_around_it_and_restores_it(guard):
    """A root: what the caller declares has no say inside, and stays what it was."""
    with guard.purpose("ads"):
        with guard.open_root("hiring"):
            assert read(guard) == "granted"
            assert read(guard, "customer") == "not_granted"
        assert read(guard) == "not_granted"
        assert read(guard, "customer") == "granted"


def test_several_purposes_intersect(guard):
    """The outermost first: the last one may refine it, and can't leave it."""
    with guard.open_root("hiring", "hiring.contact"):
        assert guard.purposes_in_force() == ("hiring", "hiring.contact")
        assert (read(guard), read(guard, "customer")) == ("granted", "granted")
    with guard.open_root("ads", "hiring.contact"):
        assert (read(guard), read(guard, "customer")) == ("not_granted", "granted")


def test_without_purposes_nothing_is_declared(guard):
    """Not what is around it either."""
    with guard.purpose("hiring"), guard.open_root():
        assert guard.purposes_in_force() == ()
        assert read(guard) == "purpose_undeclared"


def test_scopes_inside_work_as_in_any_chain(guard):
    """Nested purposes intersect with it, and die with it."""
    scope = guard.open_root("hiring")
    with scope, guard.purpose("hiring.selection"):
        assert read(guard) == "granted"
        copied = contextvars.copy_context()
        with guard.purpose("ads"):
            assert read(guard) == "not_granted"
        scope.end()
        assert read(guard) == "purpose_closed"
    assert copied.run(guard.purposes_in_force) is None


@pytest.mark.parametrize("issuer", [None, "payroll"])
def test_records_say_who_issued_the_purposes(issuer, guard):
    """Of every access inside, also below further purposes and when handed over."""
    with capture(guard) as seen, guard.open_root("hiring", issuer=issuer):
        read(guard)
        with guard.purpose("hiring.contact"):
            read(guard)
            handed_over = guard.carry(read)
        contextvars.Context().run(handed_over, guard)
        with guard.open_root("hiring"):
            read(guard)
    assert [each.issuer for each in seen] == [issuer, issuer, issuer, None]
    assert all(each.root for each in seen)


def test_unknown_names_are_gaps(guard):
    """They come from outside, so nothing is raised but at the access."""
    with guard.open_root("payroll", "hiring"):
        assert read(guard) == "purpose_unknown"
    with pytest.raises(UnknownNameError, match="the purpose is given as `int`"):
        guard.open_root(7)


def test_a_forked_child_does_not_inherit_it(guard):
    """The lease is this process's."""
    scope = guard.open_root("hiring")

    def reread():
        with scope:
            return read(guard)

    assert in_child(lambda: [reread()]) == ["purpose_closed"]
    assert reread() == "granted"


def test_a_context_that_lacks_it_is_left_as_it_is(guard):
    """Leaving never detaches a token, and never takes what belongs to somebody else."""
    scope = guard.open_root("hiring")
    before = get_current()
    with guard.purpose("ads"):
        inside = get_current()
        with scope:
            attach(inside)
        assert get_current() is inside
        assert read(guard, "customer") == "granted"
    attach(before)


def test_out_of_order(guard):
    """The one that is left first takes what was entered inside it along."""
    outer, inner = guard.open_root("hiring"), guard.open_root("ads")
    outer.__enter__()
    inner.__enter__()
    outer.__exit__(None, None, None)
    assert read(guard) == "purpose_undeclared"
    inner.__exit__(None, None, None)
    assert read(guard) == "purpose_undeclared"


def test_what_an_adapter_takes_down_is_judged_at_once(guard):
    """Or at the first load, with the place."""
    guard.require_purpose("hiring.contact")
    with pytest.raises(UnknownNameError, match=r"`hiring\.contract` is no purpose of the policy"):
        guard.require_purpose("hiring.contract")
    with pytest.raises(UnknownNameError, match="the purpose is `None`"):
        guard.require_purpose(None)
    late = Guard()
    late.require_purpose("hiring.contract")
    with pytest.raises(UnknownNameError, match=rf"{__file__}:\d+: `hiring\.contract`"):
        late.load(guard.policy)


def test_purposes_in_force(guard):
    """What a client would hand on: nothing where nothing is declared, None where it is dead."""
    assert guard.purposes_in_force() == ()
    with guard.purpose("hiring"):
        copied = contextvars.copy_context()
        assert guard.purposes_in_force() == ("hiring",)
    assert copied.run(guard.purposes_in_force) is None


def test_what_is_learnt_late_holds_wherever_the_chain_is_held(guard):
    """A copy of the context that was made before is for the purpose that the request turns out
    to have, and what was opened inside it before is dead.
    """
    scope = guard.open_root()
    with scope:
        copied = contextvars.copy_context()
        with guard.purpose("hiring"):
            older = contextvars.copy_context()
        scope.become(("ads",), "payroll")
        assert guard.purposes_in_force() == copied.run(guard.purposes_in_force) == ("ads",)
        assert (read(guard), read(guard, "customer")) == ("not_granted", "granted")
        scope.become(("hiring", "hiring.contact"), None)
        assert (read(guard), copied.run(read, guard)) == ("granted", "granted")
        narrower = contextvars.copy_context()
        with guard.purpose("hiring.contact"):
            narrower = contextvars.copy_context()
        scope.become((), None)
        assert read(guard) == "purpose_undeclared"
        assert older.run(read, guard) == narrower.run(read, guard) == "purpose_closed"
    scope.end()
    scope.become(("hiring",), None)
    with scope:
        assert read(guard) != "granted"
    assert copied.run(read, guard) != "granted"


def test_what_was_opened_inside_stays_where_it_is_entered_once_more(guard):
    """And where the same is declared once more: neither may widen what is in force."""
    scope = guard.open_root()
    with scope, guard.purpose("hiring.contact"):
        assert scope.become(("hiring",), None)
        with scope:
            assert guard.purposes_in_force() == ("hiring", "hiring.contact")
            assert not scope.become(("hiring",), None)
            assert guard.purposes_in_force() == ("hiring", "hiring.contact")
        assert scope.become(("ads",), None)
        with scope:
            assert guard.purposes_in_force() == ("ads", "hiring.contact")
    scope.end()
