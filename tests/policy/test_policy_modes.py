"""Modes: which accesses are enforced, by patterns of category and purpose."""

import pytest
from small_policy import changed, compiled

from purposeguard.policy.modes import BadMode, Modes, parse_mode, parse_modes
from purposeguard.policy.reasons import Mode

POLICY = compiled(changed())


def mode(patterns, category, *purposes, default="observe"):
    """Return the mode of one access."""
    modes = parse_modes(default, patterns)
    assert isinstance(modes, Modes)
    return str(modes.of(category, purposes, POLICY))


@pytest.mark.parametrize("name", ["enforce", "observe", Mode.ENFORCE])
def test_the_two_modes_are_read(name):
    """By name or by member."""
    assert parse_mode(name) == name


@pytest.mark.parametrize(
    ("name", "close"),
    [
        ("Enforce", "enforce"),
        ("enforced", "enforce"),
        ("", None),
        ("off", None),
        ("enforce\n", "enforce"),
        (None, None),
        (False, None),
        (b"observe", None),
    ],
)
def test_another_mode_is_an_error_and_never_off(name, close):
    """Blank, absent and misspelt modes alike; the nearest one is named."""
    bad = parse_mode(name)
    assert isinstance(bad, BadMode)
    assert bad.message.endswith("is no mode: use `enforce` or `observe`")
    assert bad.suggestion == close


@pytest.mark.parametrize(
    ("patterns", "access", "expected"),
    [
        ({}, ("patient", "care"), "observe"),
        ({"patient:care": "enforce"}, ("patient", "care"), "enforce"),
        ({"patient:care": "enforce"}, ("patient", "care.visit.home"), "enforce"),
        ({"patient:care.visit": "enforce"}, ("patient", "care"), "observe"),
        ({"patient:care": "enforce"}, ("patient", "careful"), "observe"),
        ({"patient:care": "enforce"}, ("relative", "care"), "observe"),
        ({"patient:*": "enforce"}, ("patient", "study"), "enforce"),
        ({"*:care": "enforce"}, ("relative", "care.bill"), "enforce"),
        ({"*:*": "enforce"}, ("relative", "study"), "enforce"),
        # The longer purpose wins.
        ({"patient:care": "enforce", "patient:care.visit": "observe"}, ("patient", "care.visit"),
         "observe"),
        ({"patient:care": "observe", "patient:care.visit": "enforce"},
         ("patient", "care.visit.home"), "enforce"),
        ({"*:care": "enforce", "*:care.visit": "observe"}, ("patient", "care.visit"), "observe"),
        ({"*:*": "enforce", "*:care": "observe"}, ("patient", "care.visit"), "observe"),
        # A named category beats any, whatever the purposes.
        ({"patient:*": "observe", "*:care.visit": "enforce"}, ("patient", "care.visit"), "observe"),
        ({"patient:*": "enforce", "*:care.visit": "observe"}, ("patient", "care.visit"), "enforce"),
        ({"patient:care": "enforce", "*:care.visit": "observe"}, ("patient", "care.visit"),
         "enforce"),
        # Without a known purpose only patterns for any purpose match.
        ({"patient:care": "enforce"}, ("patient",), "observe"),
        ({"patient:*": "enforce"}, ("patient",), "enforce"),
        ({"*:*": "enforce"}, ("patient",), "enforce"),
        ({"*:care": "enforce"}, ("patient", "care.nope"), "observe"),
        ({"patient:*": "enforce"}, ("patient", "nope"), "enforce"),
        # With several purposes in force any of them enforces.
        ({"patient:care": "enforce"}, ("patient", "study", "care"), "enforce"),
        ({"patient:care": "enforce"}, ("patient", "care", "study"), "enforce"),
        ({"patient:care": "enforce", "patient:*": "observe"}, ("patient", "care", "study"),
         "enforce"),
        ({"patient:care": "enforce"}, ("patient", "nope", "study"), "observe"),
    ],
)  # fmt: skip
def test_the_pattern_that_fits_best_decides(patterns, access, expected):
    """A named category first, then the longest purpose; of several purposes the strictest."""
    category, *purposes = access
    assert mode(patterns, category, *purposes) == expected
    swapped = {key: _other(value) for key, value in patterns.items()}
    if len(purposes) < 2:
        opposite = mode(swapped, category, *purposes, default="enforce")
        assert opposite == _other(expected)


def _other(mode):
    return "observe" if mode == "enforce" else "enforce"


def test_without_a_policy_only_patterns_for_any_purpose_match():
    """No purpose is known then."""
    modes = parse_modes("observe", {"patient:care": "enforce", "relative:*": "enforce"})
    assert modes.of("patient", ("care",), None) is Mode.OBSERVE
    assert modes.of("relative", ("care",), None) is Mode.ENFORCE


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ("patient:care", "`modes` is no mapping: map patterns to modes"),
        ([("patient:care", "enforce")], "`modes` is no mapping: map patterns to modes"),
        *(
            ({pattern: "enforce"}, "is no pattern: write `category:purpose`, either may be `*`")
            for pattern in (
                *("patient", "patient:", ":care", "a:b:c", "patient:care.*", "", " patient:care"),
                *("pat*:care", "patient :care", "Patient:care", b"patient:care", None, 7),
            )
        ),
        ({"patient:care": "enforced"}, "is no mode: use `enforce` or `observe`"),
        ({"patient:care": None}, "is no mode: use `enforce` or `observe`"),
    ],
)
def test_a_pattern_or_mode_that_cannot_be_is_told(patterns, message):
    """Before anything runs, with the form that it should have."""
    bad = parse_modes("enforce", patterns)
    assert isinstance(bad, BadMode)
    assert bad.message.endswith(message)


@pytest.mark.parametrize(
    ("pattern", "message", "name", "close"),
    [
        (
            "pateint:care",
            "the pattern `pateint:care` names no category of the policy: did you mean `patient`?",
            *("pateint", "patient"),
        ),
        (
            "*:cares",
            "the pattern `*:cares` names no purpose of the policy: did you mean `care`?",
            *("cares", "care"),
        ),
        (
            "zoo:*",
            "the pattern `zoo:*` names no category of the policy: correct it",
            *("zoo", None),
        ),
    ],
)
def test_a_pattern_is_judged_by_the_policy(pattern, message, name, close):
    """What it names has to be declared, but for `*`."""
    (bad,) = parse_modes("observe", {pattern: "enforce"}).unknown(POLICY)
    assert bad == BadMode(message, name, close)


def test_good_patterns_are_all_known():
    """Nothing is told of declared names and of `*`."""
    patterns = dict.fromkeys(("patient:care", "*:study", "relative:*", "*:*"), "observe")
    assert list(parse_modes("enforce", patterns).unknown(POLICY)) == []
