"""What is promised of subjects and customers on scopes, sentence by sentence."""

import contextvars
import threading
from uuid import UUID

import pytest
from scope_world import MATRIX

from purposeguard import Guard, ScopeError, UnknownNameError
from purposeguard.policy.access import Access
from purposeguard.subjects.keys import SubjectKey
from purposeguard.testing import capture

KEY = b"sixteen bytes or more"
SUBJECT = "subject:k"


@pytest.fixture
def guard():
    """A guard that records people."""
    return Guard(MATRIX, subject_key=KEY)


def hashed(kind, *values):
    """Return the keys of people as records have them."""
    return tuple(SubjectKey(KEY).hash(kind, value) for value in values)


def people(guard, call, *given, **named):
    """Return the keys of subjects and customers in the one record that a call leaves."""
    with capture(guard) as records:
        call(*given, **named)
    (record,) = records
    return record.subjects, record.customers


def test_accesses_inherit_subject_and_customer_from_the_scope_around_them(guard):
    """Each of the two by itself."""
    with guard.purpose("a", subject=7), guard.purpose("a.b", customer="acme"):
        found = people(guard, guard.check, "k")
    assert found == (hashed(SUBJECT, 7), hashed("customer", "acme"))


def test_the_nearest_one_given_wins(guard):
    """And after its block the outer one is back."""
    with guard.purpose("a", subject=7, customer="acme"):
        with guard.purpose("a", subject=8):
            inner = people(guard, guard.check, "k")
        outer = people(guard, guard.check, "k")
    assert inner == (hashed(SUBJECT, 8), hashed("customer", "acme"))
    assert outer == (hashed(SUBJECT, 7), hashed("customer", "acme"))


def test_an_accesss_own_beats_both(guard):
    """Whichever scope is around it."""
    with guard.purpose("a", subject=7), guard.purpose("a", subject=8):
        assert people(guard, guard.check, "k", subject=9)[0] == hashed(SUBJECT, 9)


def test_a_root_scope_inherits_nobody(guard):
    """It starts a new chain, and the person belonged to the old one."""
    with guard.purpose("a", subject=7), guard.purpose("a", root=True):
        assert people(guard, guard.check, "k") == ((), ())


def test_a_decorator_names_a_parameter_or_takes_a_callable(guard):
    """Over the arguments as they are bound, with defaults."""

    @guard.access("k", subject="who", customer=lambda bound: bound.arguments["of"] + "!")
    def load(who=7, *, of="acme"):
        return "data"

    with guard.purpose("a"):
        assert people(guard, load) == (hashed(SUBJECT, 7), hashed("customer", "acme!"))
        assert people(guard, load, 8, of="b") == (hashed(SUBJECT, 8), hashed("customer", "b!"))


def test_a_decorated_purpose_hands_its_person_on(guard):
    """What is called inside inherits it."""

    @guard.purpose("a", subject="who")
    def handle(who):
        guard.check("k")

    assert people(guard, handle, 7)[0] == hashed(SUBJECT, 7)


@pytest.mark.parametrize("values", [[7, 8], (7, 8), {7, 8}, frozenset({7, 8})])
def test_a_block_takes_a_value_or_several(guard, values):
    """A list, tuple or set of values, each of whom the record names."""
    found, _ = people(guard, guard.check, "k", purpose="a", subject=values)
    assert set(found) == set(hashed(SUBJECT, 7, 8))
    with pytest.raises(UnknownNameError):
        guard.check("k", purpose="a", subject=iter(values))


@pytest.mark.parametrize("value", [True, 1.5, b"7", object(), [], [7, None], [[7]]])
def test_what_can_not_name_a_person_is_refused(guard, value):
    """Only text, whole numbers and UUIDs can."""
    with pytest.raises(UnknownNameError, match="give a text, a whole number or a UUID"):
        guard.check("k", purpose="a", subject=value)
    with pytest.raises(UnknownNameError, match="give a text, a whole number or a UUID"):
        guard.purpose("a", customer=value).__enter__()


def test_seven_is_the_same_person_as_text_or_number_but_not_in_another_category(guard):
    """The key covers what the value identifies."""
    number = people(guard, guard.check, "k", purpose="a", subject=7)
    text = people(guard, guard.check, "k", purpose="a", subject="7")
    other = people(guard, guard.check, "l", purpose="e", subject=7)
    assert number == text != other
    uuid = UUID(int=7)
    assert people(guard, guard.check, "k", purpose="a", subject=uuid)[0] == hashed(SUBJECT, uuid)


@pytest.mark.parametrize("noun", ["purpose", "access"])
@pytest.mark.parametrize("person", ["subject", "customer"])
def test_an_object_with_a_person_is_a_decorator_or_a_block(guard, noun, person):
    """The other use is refused; without a person an object may be both."""

    def scope(**given):
        if noun == "purpose":
            return guard.purpose("a", **given)
        return guard.access("k", purpose="a", **given)

    def function(who):
        return who

    decorator = scope(**{person: "who"})
    decorator(function)
    decorator(function)
    with pytest.raises(ScopeError, match="make another one"):
        decorator.__enter__()
    block = scope(**{person: "who"})
    with block, block:
        pass
    with pytest.raises(ScopeError, match="make another one"):
        block(function)
    both = scope()
    with both:
        assert both(function)(1) == 1


def test_carried_work_keeps_its_people(guard):
    """Its own, or else those of its runner."""
    with guard.purpose("a", subject=7):
        carried = guard.carry(lambda: guard.check("k"))
    with guard.purpose("a", subject=8, customer="acme"):
        found = people(guard, carried)
    assert found == (hashed(SUBJECT, 7), hashed("customer", "acme"))


def test_a_generator_keeps_the_people_of_its_call(guard):
    """Wherever it is consumed."""

    @guard.access("k", purpose="a")
    def rows():
        yield

    with guard.purpose("a", subject=7):
        made = rows()
        found = []
        worker = threading.Thread(target=lambda: found.append(people(guard, next, made)))
        contextvars.Context().run(worker.start)
        worker.join()
    assert found == [(hashed(SUBJECT, 7), ())]


def test_without_a_key_nobody_is_recorded():
    """The answer is the same."""
    guard = Guard(MATRIX)
    assert people(guard, guard.check, "k", purpose="a", subject=7) == ((), ())


def test_decide_looks_at_nothing_and_leaves_nothing(guard):
    """The pure question ignores the context, records nothing and raises nothing."""
    with capture(guard) as records, guard.purpose("e"):
        assert guard.decide(Access("k", purposes=("a",))).reason == "granted"
        assert guard.decide(Access("k")).reason == "purpose_undeclared"
        assert guard.decide(Access("k", purposes=("a",), closed=True)).reason == "purpose_closed"
        assert guard.decide(Access("nope", purposes=("a",))).reason == "category_unknown"
        assert guard.decide(Access("k", purposes="a")).reason == "check_failed"
    assert list(records) == []


def test_a_purpose_whose_people_cant_be_found_is_refused(guard):
    """Under enforce the call does not run; under observe it is a fault, and the call goes on."""
    watching = Guard(MATRIX, mode="observe")
    for each in (guard, watching):

        @each.purpose("a", subject=lambda call: call.arguments["nobody"])
        def work():
            return "done"

        if each is watching:
            assert work() == "done"
            assert each.health().faults == {"people": 1}
        else:
            with pytest.raises(ScopeError, match="correct its `subject` or `customer`"):
                work()
