"""Errors: their family, how they travel, how they read, and that nothing swallows them."""

import ast
import contextlib
import copy
import dataclasses
import inspect
import itertools
import pickle
from pathlib import Path

import pytest
from evidence_kit import POLICY, POLICY_TEXT

import purposeguard
from purposeguard import (
    Access,
    AccessDeniedError,
    Guard,
    LedgerError,
    OutOfPurposeError,
    PolicyError,
    PurposeGuardError,
    ScopeError,
    SubjectStoreError,
    UndecidedAccessError,
    UnknownNameError,
    UnusableLedgerError,
    exceptions,
)
from purposeguard.policy.decide import Decision, decide, undecided
from purposeguard.policy.reasons import Need, Outcome, Reason
from purposeguard.policy_file import parse_policy

FAMILY = {
    PolicyError: PurposeGuardError,
    UnknownNameError: PurposeGuardError,
    ScopeError: PurposeGuardError,
    AccessDeniedError: PurposeGuardError,
    OutOfPurposeError: AccessDeniedError,
    UndecidedAccessError: AccessDeniedError,
    LedgerError: AccessDeniedError,
    UnusableLedgerError: PurposeGuardError,
    SubjectStoreError: PurposeGuardError,
}
SWALLOWED = (
    *(AttributeError, LookupError, OSError, StopIteration, StopAsyncIteration, ImportError),
    *(TypeError, ValueError, NotImplementedError, AssertionError, RuntimeError),
)
"""What Python and frameworks take for an answer."""


def test_the_family_is_the_documented_one():
    """Each error has its one parent, and there is no other error."""
    assert {error: error.__base__ for error in FAMILY} == FAMILY
    assert PurposeGuardError.__base__ is Exception
    defined = {
        each
        for each in vars(exceptions).values()
        if inspect.isclass(each) and issubclass(each, BaseException)
    }
    assert defined == {PurposeGuardError, *FAMILY}


@pytest.mark.parametrize("error", [PurposeGuardError, *FAMILY])
def test_no_error_is_kin_to_what_python_swallows(error):
    """None is an AttributeError, KeyError, OSError or StopIteration, nor another built-in one."""
    assert not issubclass(error, SWALLOWED)
    assert error.__mro__[-3:] == (Exception, BaseException, object)


def _policy_error():
    with pytest.raises(PolicyError) as caught:
        parse_policy(POLICY_TEXT.replace("S1b", "S1b]").replace("advice:", "advise:"), "shop.yaml")
    return caught.value


def _name_error():
    with pytest.raises(UnknownNameError) as caught:
        Guard(POLICY).access("buyr")(lambda: None)
    return caught.value


def _denial(error):
    decision = decide(POLICY, Access("buyer", purposes=("advice",)))
    return error(decision)


ERRORS = {
    "policy": _policy_error,
    "name": _name_error,
    "scope": lambda: ScopeError("a message: its fix"),
    "violation": lambda: _denial(OutOfPurposeError),
    "gap": lambda: _denial(UndecidedAccessError),
    "ledger": lambda: LedgerError(decide(POLICY, Access("buyer", purposes=("order",))), "ENOSPC"),
    "unusable": lambda: UnusableLedgerError("a message: its fix"),
    "subjects": lambda: SubjectStoreError("a message: its fix"),
}


@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy])
@pytest.mark.parametrize("case", ERRORS)
def test_errors_travel_between_processes(case, again):
    """Pickled or copied, an error is of the same type with the same text and attributes."""
    error = ERRORS[case]()
    other = again(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)


def test_errors_say_what_programs_need():
    """A policy error has its problems, a name error the name and a suggestion, a denial both."""
    problem, *_ = _policy_error().problems
    assert (problem.file, problem.line > 1, problem.column >= 1) == ("shop.yaml", True, True)
    assert (_name_error().name, _name_error().suggestion) == ("buyr", "buyer")
    decision = _denial(OutOfPurposeError).decision
    assert (decision.outcome, decision.reason) == (Outcome.VIOLATION, Reason.ITEM_EXCESS)
    assert decision.allowed_items == ("name", "history")


def reads_well(text):
    """Say what breaks the rules for a message, or nothing."""
    if text != text.strip() or not text.isprintable():
        return "not one clean line"
    if text.endswith((".", "!", ":", ",")):
        return "a stop at the end"
    if not (text[0].islower() or text[0] == "`"):
        return "no lower-case letter at the start"
    if (
        text.count("`") % 2
        or "None" in text.replace("`None`", "")
        or "()" in text
        or "  " in text
        or "``" in text
    ):
        return "something is missing in it"
    return None


VARIANTS = {
    "items": (None, ("name",), ("name", "a b")),
    "recipient": (None, "carrier", "who@example"),
    "source": (None, "referral"),
    "clauses": ((), ("S1",), tuple(f"S{n}" for n in range(9))),
    "excess": (("name",),),
    "allowed_purposes": ((), ("order.delivery",), tuple(f"p{n}" for n in range(9))),
    "allowed_items": ((), ("name", "history")),
    "allowed_recipients": ((), ("carrier",)),
    "unmet": ((), (Need.CONSENT_CUSTOMER, Need.MANDATE)),
    "ground": (None, "emergency"),
}


def variants(reason):
    """Yield decisions with a reason that differ in all that a sentence may depend on."""
    base = undecided(reason, Access("buyer", purposes=("advice",)), POLICY)
    for chosen in itertools.product(*VARIANTS.values()):
        yield dataclasses.replace(base, **dict(zip(VARIANTS, chosen, strict=True)))


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_reads_well(reason):
    """A sentence begins in lower case, has no final stop and, if it denies, a fix after a colon."""
    found = {reads_well(text) and text for text in map(Decision.explain, variants(reason))}
    assert found == {None}
    if reason.outcome is not Outcome.PERMIT:
        for decision in variants(reason):
            text = decision.explain()
            assert ": " in text, text
            assert "`buyer`" in text, text
            assert "who@example" not in text
            assert "a b" not in text


RAISED = {"UnknownNameError", "ScopeError", "PurposeGuardError", "BadMode"}


def messages():
    """Yield every message that the package raises, with names in place of what is filled in."""
    for path in sorted(Path(purposeguard.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                text = _text(node.args[0])
                if node.func.id in RAISED and text:
                    yield f"{path.name}:{node.lineno}", text


def _text(node):
    if isinstance(node, ast.BinOp):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.IfExp):
        return _text(node.body)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.FormattedValue):
        return "`name`" if isinstance(node.value, ast.Call) else "name"
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def test_every_raised_message_reads_well():
    """Messages in the code keep the same rules as the sentences of decisions."""
    found = dict(messages())
    assert len(found) > 20
    assert {place: bad for place, text in found.items() if (bad := reads_well(text))} == {}


def test_the_rules_catch_messages_that_break_them():
    """The same check refuses what a message must not be."""
    for bad in ("Upper case", "a stop.", "a\nline", "name is None", "` odd", " blank ", "the ``"):
        assert reads_well(bad), bad


class Shop:
    """Has a guarded property whose access is denied, and hands out data for any other name."""

    guard = Guard(POLICY)

    @guard.access("buyer", items=["address"], purpose="advice")
    @property
    def address(self):
        """Return data."""
        return "data"

    @guard.access("buyer", subject=lambda bound: bound.no_such_attribute)
    @property
    def history(self):
        """Return data; whose data it is can't be found out."""
        return "data"

    @guard.access("buyer", items=["address"], purpose="advice")
    def __getitem__(self, key):
        return "data"

    @guard.access("buyer", items=["address"], purpose="advice")
    def __len__(self):
        return 1

    @guard.access("buyer", items=["address"], purpose="advice")
    def __iter__(self):
        yield "data"

    @guard.access("buyer", items=["address"], purpose="advice")
    def rows(self):
        """Yield data."""
        yield "data"

    def __getattr__(self, name):
        return "data by another way"


ROUTES = {
    "attribute": lambda shop: shop.address,
    "hasattr": lambda shop: hasattr(shop, "address"),
    "getattr with a default": lambda shop: getattr(shop, "address", "data"),
    "failing check": lambda shop: shop.history,
    "hasattr on a failing check": lambda shop: hasattr(shop, "history"),
    "key": lambda shop: shop["key"],
    "membership": lambda shop: "data" in shop,
    "truth": bool,
    "list": list,
    "unpacking": lambda shop: [*shop],
    "next with a default": lambda shop: next(shop.rows(), "data"),
    "sequence protocol": lambda shop: next(reversed(shop), "data"),
    "for": lambda shop: {each for each in shop.rows() if each},
}


@pytest.mark.parametrize("route", ROUTES)
def test_nothing_in_python_swallows_a_denial(route):
    """A denial comes out of every protocol, and `__getattr__` is not asked for data instead."""
    with (
        contextlib.suppress(*SWALLOWED),
        pytest.raises(AccessDeniedError),
        Shop.guard.purpose("order.delivery"),
    ):
        ROUTES[route](Shop())
        pytest.fail("the denial was swallowed")


class NaiveDeniedError(AttributeError):
    """A denial as libraries have had it: kin to what Python swallows."""


class NaiveShop:
    """The same shop behind a guard that raises such a denial."""

    @property
    def address(self):
        """Deny."""
        raise NaiveDeniedError

    def __getattr__(self, name):
        return "data by another way"


def test_the_routes_swallow_a_denial_that_is_an_attribute_error():
    """With the wrong family the same look-ups return data."""
    for route in ("attribute", "getattr with a default"):
        assert ROUTES[route](NaiveShop()) == "data by another way"
    assert ROUTES["hasattr"](NaiveShop()) is True


def test_a_denial_can_be_raised_again_and_again():
    """A scope object with a bad name raises a new error each time, so none holds older frames."""
    guard = Guard(POLICY)
    for bad in (guard.access(7), guard.purpose(b"advice")):
        caught = []
        for _ in range(3):
            with pytest.raises(UnknownNameError) as error, bad:
                pass
            caught.append(error.value)
        assert len({id(each) for each in caught}) == 3
        assert len({len(inspect.getinnerframes(each.__traceback__)) for each in caught}) == 1
