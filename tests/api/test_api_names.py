"""Names in code: judged when a function is decorated or a block entered, matched exactly."""

import uuid
from enum import Enum, StrEnum

import pytest

from purposeguard import Guard, ScopeError, UnknownNameError, bundled_policy
from purposeguard.testing import capture

POLICY = bundled_policy("smarthr")


class Category(StrEnum):
    """Names as an application may keep them."""

    CANDIDATE = "candidate"


class Word(StrEnum):
    """More of them."""

    SELECTION = "recruitment.selection"
    NAME = "name"
    COLLECT = "collect"
    ENTERED = "entered"
    PARTNER = "group_company"


class OldEnum(str, Enum):  # noqa: UP042 - what StrEnum is not
    """Text that formats as its member's name."""

    CANDIDATE = "candidate"


class Text(str):
    """Text that may compare as it likes."""

    __slots__ = ()


class Says(str):
    """Text that is equal to everything."""

    __slots__ = ()

    def __eq__(self, other):
        return True

    def __hash__(self):
        return hash("candidate")


def load(candidate_id: int) -> str:
    """Stand in for real code."""
    return f"candidate {candidate_id}"


def decorate(noun, *args, **given):
    """Decorate a function."""

    def use(guard):
        getattr(guard, noun)(*args, **given)(load)

    return use


def enter(noun, *args, **given):
    """Enter a block."""

    def use(guard):
        with getattr(guard, noun)(*args, **given):
            pytest.fail("the block ran")

    return use


def check(*args, **given):
    """Check without a block."""
    return lambda guard: guard.check(*args, **given)


WRONG = {
    "category": (
        ("candidat",),
        {},
        "`candidat` is no category of the policy: did you mean `candidate`?",
        *("candidat", "candidate"),
    ),
    "item": (
        ("candidate",),
        {"items": ["name", "work_histori"]},
        "`work_histori` is no item of `candidate` of the policy: did you mean `work_history`?",
        *("work_histori", "work_history"),
    ),
    "item of another category": (
        ("candidate",),
        {"items": ["usage_log"]},
        (
            "`usage_log` is no item of `candidate` of the policy: "
            "declare it there, or correct the name"
        ),
        *("usage_log", None),
    ),
    "purpose": (
        ("candidate",),
        {"purpose": "recruitment.select"},
        "`recruitment.select` is no purpose of the policy: did you mean `recruitment.selection`?",
        *("recruitment.select", "recruitment.selection"),
    ),
    "operation": (
        ("candidate",),
        {"operation": "colect"},
        "`colect` is no operation: use one of `use`, `collect`, `store`, `provide`, `erase`",
        *("colect", "collect"),
    ),
    "recipient": (
        ("candidate",),
        {"recipient": "group_companies"},
        "`group_companies` is no recipient of the policy: did you mean `group_company`?",
        *("group_companies", "group_company"),
    ),
    "source": (
        ("candidate",),
        {"operation": "collect", "source": "enterd"},
        "`enterd` is no source of the policy: did you mean `entered`?",
        *("enterd", "entered"),
    ),
    "a name in capitals": (
        ("Candidate",),
        {},
        "a name of 9 characters is no category of the policy: did you mean `candidate`?",
        *("a name of 9 characters", "candidate"),
    ),
    "a name with a blank": (
        (" candidate",),
        {},
        "a name of 10 characters is no category of the policy: did you mean `candidate`?",
        *("a name of 10 characters", "candidate"),
    ),
    "an empty name": (
        ("",),
        {},
        (
            "a name of 0 characters is no category of the policy: "
            "declare it there, or correct the name"
        ),
        *("a name of 0 characters", None),
    ),
    "bytes": (
        (b"candidate",),
        {},
        "the category is given as `bytes`: use text or a `StrEnum` member",
        *("bytes", None),
    ),
    "a truth value": (
        ("candidate",),
        {"purpose": True},
        "the purpose is given as `bool`: use text or a `StrEnum` member",
        *("bool", None),
    ),
    "a text subclass": (
        (Text("candidate"),),
        {},
        "the category is given as `Text`: use text or a `StrEnum` member",
        *("Text", None),
    ),
    "a text that is equal to everything": (
        ("candidate",),
        {"items": [Says("name")]},
        "the item is given as `Says`: use text or a `StrEnum` member",
        *("Says", None),
    ),
    "an enum of text that is no StrEnum": (
        (OldEnum.CANDIDATE,),
        {},
        "the category is given as `OldEnum`: use text or a `StrEnum` member",
        *("OldEnum", None),
    ),
    "no category": (
        (None,),
        {},
        "the category is `None`: name one of the policy",
        *("", None),
    ),
    "one item as text": (
        ("candidate",),
        {"items": "name"},
        "`items` is one name where a list belongs: write `items=[…]`",
        *("", None),
    ),
    "one item as bytes": (
        ("candidate",),
        {"items": b"name"},
        "`items` is one name where a list belongs: write `items=[…]`",
        *("", None),
    ),
    "items in a mapping": (
        ("candidate",),
        {"items": {"name": "no"}},
        "`items` is no list: write `items=[…]`",
        *("", None),
    ),
    "items that can be read once": (
        ("candidate",),
        {"items": iter(["name"])},
        "`items` is no list: write `items=[…]`",
        *("", None),
    ),
    "no items": (
        ("candidate",),
        {"items": []},
        "`items` is empty: name at least one, or leave it out for all",
        *("", None),
    ),
    "a source without collecting": (
        ("candidate",),
        {"source": "entered"},
        '`source` is for data that is collected: add `operation="collect"`',
        *("", None),
    ),
    "providing to nobody": (
        ("candidate",),
        {"operation": "provide"},
        "`provide` needs to know to whom: add `recipient=…`",
        *("", None),
    ),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_decorating_judges_every_name_at_once(case, mode):
    """A wrong name is an error in both modes, with the nearest known name."""
    args, given, message, name, suggestion = WRONG[case]
    with pytest.raises(UnknownNameError) as caught:
        Guard(POLICY, mode=mode).access(*args, **given)(load)
    assert str(caught.value) == message
    assert (caught.value.name, caught.value.suggestion) == (name, suggestion)


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("use", [enter, check])
def test_blocks_and_checks_judge_names_when_they_run(case, use):
    """The same error, raised where the block is entered, and nothing of it before."""
    args, given, message, *_ = WRONG[case]
    guard = Guard(POLICY)
    used = use("access", *args, **given) if use is enter else use(*args, **given)
    with capture(guard) as records, pytest.raises(UnknownNameError) as caught:
        used(guard)
    assert str(caught.value) == message
    assert records == []


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("use", [enter, check])
def test_observing_makes_them_gaps_and_goes_on(case, use):
    """A wrong name that is met once the application runs is recorded and stops nothing."""
    args, given, *_ = WRONG[case]
    guard = Guard(POLICY, mode="observe")
    entered = False
    with guard.purpose("recruitment.selection"), capture(guard) as records:
        if use is check:
            guard.check(*args, **given)
        else:
            with guard.access(*args, **given):
                entered = True
    (record,) = records
    assert record.outcome != "permit"
    assert entered == (use is enter)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "recruitment.selecton",
            (
                "`recruitment.selecton` is no purpose of the policy: "
                "did you mean `recruitment.selection`?"
            ),
        ),
        (
            "Ada Lovelace",
            (
                "a name of 12 characters is no purpose of the policy: "
                "declare it there, or correct the name"
            ),
        ),
        (b"recruitment", "the purpose is given as `bytes`: use text or a `StrEnum` member"),
        (False, "the purpose is given as `bool`: use text or a `StrEnum` member"),
        (Text("recruitment"), "the purpose is given as `Text`: use text or a `StrEnum` member"),
        (None, "the purpose is `None`: name one of the policy"),
    ],
)
@pytest.mark.parametrize("use", [decorate, enter])
def test_purposes_are_judged_alike(name, message, use):
    """Decorator and block, with the same words."""
    with pytest.raises(UnknownNameError) as caught:
        use("purpose", name)(Guard(POLICY))
    assert str(caught.value) == message


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_members_of_a_str_enum_are_names(kind):
    """Everywhere a name belongs, and what is recorded is the plain value."""
    guard = Guard(POLICY)

    @guard.purpose(Word.SELECTION)
    @guard.access(
        Category.CANDIDATE,
        items=kind([Word.NAME]),
        operation=Word.COLLECT,
        source=Word.ENTERED,
        recipient=Word.PARTNER,
    )
    def take():
        return "taken"

    with capture(guard) as records:
        assert take() == "taken"
    (record,) = records
    decision = record.decision
    names = (decision.category, decision.purpose, *decision.items, decision.source)
    assert names == ("candidate", "recruitment.selection", "name", "entered")
    assert all(type(name) is str for name in (*names, decision.recipient))


# Naming people.


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"subject": 7}, "`subject` of a decorator is of type `int`: name a parameter"),
        (
            {"subject": "candidate"},
            "`candidate` is no parameter of the function: did you mean `candidate_id`?",
        ),
        ({"customer": "tenant"}, "`tenant` is no parameter of the function: name one of its"),
    ],
)
@pytest.mark.parametrize("noun", ["access", "purpose"])
def test_a_decorator_names_people_by_a_parameter(given, message, noun):
    """A value, or a parameter that the function lacks, is found when it is decorated."""
    name = "candidate" if noun == "access" else "recruitment.selection"
    with pytest.raises(UnknownNameError) as caught:
        getattr(Guard(POLICY), noun)(name, **given)(load)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("value", [7.5, b"7", True, object(), [7, None], {"id": 7}, []])
@pytest.mark.parametrize("role", ["subject", "customer"])
def test_a_person_is_a_text_a_whole_number_or_a_uuid(value, role):
    """Anything else is refused, also within a list, and nothing of it is told."""
    guard = Guard(POLICY)
    with pytest.raises(UnknownNameError, match=f"`{role}` holds .*: give a text"):
        guard.check("candidate", **{role: value})


@pytest.mark.parametrize("value", ["a-7", 7, uuid.UUID(int=7), [7, "8"], (7,), {7, "8"}])
def test_a_person_or_several_may_be_named(value):
    """One identifier, or a list, tuple or set of them."""
    guard = Guard(POLICY)
    with guard.purpose("recruitment.selection", subject=value, customer=value):
        assert guard.check("candidate", subject=value).permitted


def test_an_object_with_a_person_is_a_decorator_or_a_block():
    """Each reads `subject` differently, so the other use is refused with the fix."""
    guard = Guard(POLICY)
    scope = guard.access("candidate", subject="candidate_id")
    scope(load)
    with pytest.raises(ScopeError, match=r"used as a decorator already.*make another one"), scope:
        pytest.fail("the block ran")
    scope = guard.purpose("recruitment.selection", subject="candidate_id")
    with scope:
        pass
    with pytest.raises(ScopeError, match=r"used as a with-block already.*make another one"):
        scope(load)


def test_without_a_person_an_object_is_both():
    """The same object decorates and opens blocks."""
    guard = Guard(POLICY)
    scope = guard.purpose("recruitment.selection")
    guarded = scope(guard.access("candidate")(load))
    assert guarded(7) == "candidate 7"
    with scope:
        assert guard.check("candidate").permitted
