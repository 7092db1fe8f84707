"""What is promised of modes, sentence by sentence."""

import contextlib
import contextvars

import pytest
from scope_world import MATRIX

from purposeguard import AccessDeniedError, Guard, PolicyError, PurposeGuardError, UnknownNameError
from purposeguard.testing import capture

MODES = pytest.mark.parametrize("mode", ["enforce", "observe"])


# What can be seen at load raises in both modes.


@MODES
def test_a_bad_file_raises_in_both_modes(tmp_path, mode):
    """At the guard, and at `load`."""
    path = tmp_path / "policy.yaml"
    path.write_text("purposeguard: 2\n...\n")
    with pytest.raises(PolicyError):
        Guard(path, mode=mode)
    with pytest.raises(PolicyError):
        Guard(MATRIX, mode=mode).load(path)


@MODES
@pytest.mark.parametrize(
    "declare",
    [
        lambda guard: guard.access("nope")(int),
        lambda guard: guard.access("k", items="ij")(int),
        lambda guard: guard.access("k", items=["nope"])(int),
        lambda guard: guard.access("k", purpose="a.nope")(int),
        lambda guard: guard.access("k", recipient="nobody")(int),
        lambda guard: guard.access(b"k")(int),
        lambda guard: guard.purpose("a ")(int),
        lambda guard: guard.purpose(True)(int),
        lambda guard: guard.purpose("a", subject="nobody")(lambda who: who),
    ],
)
def test_decorating_judges_names_in_both_modes(mode, declare):
    """A name that can't be is told at once."""
    with pytest.raises(UnknownNameError):
        declare(Guard(MATRIX, mode=mode))


@MODES
def test_the_first_load_judges_what_was_declared_before_it(mode):
    """All names come in one error, and nothing is loaded."""
    guard = Guard(mode=mode)
    guard.access("nope")(lambda: None)
    guard.purpose("a.nope")(lambda: None)
    with pytest.raises(UnknownNameError, match=r"(?s)test_mode_sentences\.py.*`nope`.*`a\.nope`"):
        guard.load(MATRIX)
    assert guard.policy is None


# Once the application runs, observe raises nothing.


def in_a_generator(scope):
    """Open a block in a generator."""

    def rows():
        with scope:
            yield

    return list(rows())


def twice(scope):
    """Use an object that is a decorator already as a block."""
    scope(lambda who: who)
    with scope:
        pass


def carry_a_dead_chain(guard):
    """Carry from a context whose block has been left, and run it under another purpose."""
    with guard.purpose("a"):
        context = contextvars.copy_context()
    carried = context.run(guard.carry, lambda: guard.check("k"))
    with guard.purpose("a"):
        carried()


RUNNING = {
    "an unknown purpose": lambda guard: guard.check("k", purpose="nope"),
    "an unknown category": lambda guard: guard.check("nope", purpose="a"),
    "an unknown item": lambda guard: guard.check("k", items=["nope"], purpose="a"),
    "an unknown recipient": lambda guard: guard.check("k", recipient="nobody", purpose="a"),
    "a wrong type": lambda guard: guard.check(7, purpose="a"),
    "a bare string for a list": lambda guard: guard.check("k", items="ij", purpose="a"),
    "a wrong person": lambda guard: guard.check("k", purpose="a", subject=1.5),
    "a scope refused in a generator": lambda guard: in_a_generator(guard.access("k", purpose="a")),
    "a role taken": lambda guard: twice(guard.access("k", purpose="a", subject="who")),
    "a dead chain carried": carry_a_dead_chain,
    "nothing declared": lambda guard: guard.check("k"),
}


@pytest.mark.parametrize("what", RUNNING)
def test_observe_raises_nothing_and_leaves_a_gap(what):
    """What raises under enforce is a record that is not permitted under observe."""
    with pytest.raises(PurposeGuardError):
        RUNNING[what](Guard(MATRIX))
    guard = Guard(MATRIX, mode="observe")
    with capture(guard) as records:
        RUNNING[what](guard)
    assert [each.outcome for each in records] != []
    assert "permit" not in {each.outcome for each in records}
    assert {each.mode for each in records} == {"observe"}


COUNTED = {
    "a wrong person on a purpose": lambda guard: guard.purpose("a", subject=1.5).__enter__(),
    "something that can't be carried": lambda guard: guard.carry([1]),
}


@pytest.mark.parametrize("what", COUNTED)
def test_observe_counts_what_is_no_access(what):
    """What raises under enforce is a count under observe."""
    with pytest.raises(PurposeGuardError):
        COUNTED[what](Guard(MATRIX))
    guard = Guard(MATRIX, mode="observe")
    contextvars.copy_context().run(COUNTED[what], guard)
    assert sum(guard.health().faults.values()) == 1


@pytest.mark.parametrize("noun", ["purpose", "access"])
def test_a_refused_scopes_block_runs_on_an_empty_root_chain(noun):
    """Inside it nothing is declared, whatever is around it; afterwards that is in force again."""
    guard = Guard(MATRIX, mode="observe")
    scope = guard.purpose("a.b") if noun == "purpose" else guard.access("k", purpose="a.b")

    def rows():
        with scope:
            guard.check("k")
        yield

    with guard.purpose("a"), capture(guard) as records:
        next(rows())
        guard.check("k")
    assert [(each.reason, each.root) for each in records[-2:]] == [
        ("purpose_undeclared", True),
        ("granted", False),
    ]


def test_a_lost_record_is_a_count_and_the_call_goes_on():
    """An outlet that fails changes nothing else."""

    class Failing:
        def record(self, record):
            raise OSError

    for mode in ("enforce", "observe"):
        guard = Guard(MATRIX, mode=mode)
        with capture(guard) as records:
            outlets = (Failing(), *guard._hub.state.outlets)
            guard._hub.state = type(guard._hub.state)(MATRIX, guard._hub.state.modes, outlets)
            assert guard.check("k", purpose="a").permitted
        assert guard.health().faults == {"Failing": 1}
        assert len(records) == 1


# An unknown mode is an error at start.

NO_MODES = ["Enforce", "observe ", "", "off", "none", None, True, 1, b"enforce", ["enforce"]]


@pytest.mark.parametrize("mode", NO_MODES, ids=repr)
def test_an_unknown_mode_is_an_error_at_start(mode):
    """It never means that nothing is checked."""
    with pytest.raises(UnknownNameError, match="`enforce` or `observe`"):
        Guard(MATRIX, mode=mode)
    with pytest.raises(UnknownNameError, match="`enforce` or `observe`"):
        Guard(MATRIX, modes={"*:*": mode})
    if mode is not None:
        guard = Guard(MATRIX)
        with pytest.raises(UnknownNameError, match="`enforce` or `observe`"):
            guard.load(MATRIX, mode=mode)
        assert guard.health().mode == "enforce"


PATTERNS = ["k", "k:a:b", "", ":", "k:", ":a", "*", "k*:a", "k:a.*", "K:a", "k: a", 7, None, b"k:a"]


@pytest.mark.parametrize("pattern", PATTERNS, ids=repr)
def test_a_bad_pattern_is_an_error_at_start(pattern):
    """Either part is a name or `*`, nothing in between."""
    with pytest.raises(UnknownNameError, match="write `category:purpose`"):
        Guard(MATRIX, modes={pattern: "observe"})


@pytest.mark.parametrize("modes", [["k:a"], "k:a", 7])
def test_modes_that_are_no_mapping_are_an_error_at_start(modes):
    """The message says what they are."""
    with pytest.raises(UnknownNameError, match="map patterns to modes"):
        Guard(MATRIX, modes=modes)


@pytest.mark.parametrize(
    ("pattern", "close"), [("kk:a", None), ("k:a.bb", "a.b"), ("*:nope", None), ("nope:*", None)]
)
def test_a_pattern_that_names_what_the_policy_lacks_is_an_error_at_the_first_load(pattern, close):
    """With the policy at once, or when it comes; the nearest name is suggested."""
    with pytest.raises(UnknownNameError) as caught:
        Guard(MATRIX, modes={pattern: "observe"})
    if close:
        assert caught.value.suggestion == close
    guard = Guard(modes={pattern: "observe"})
    with pytest.raises(UnknownNameError):
        guard.load(MATRIX)
    assert guard.policy is None


def test_loading_with_a_mode_replaces_the_mode():
    """Patterns stay."""
    guard = Guard(MATRIX, modes={"l:*": "enforce"})
    guard.load(MATRIX, mode="observe")
    guard.check("k")
    with pytest.raises(AccessDeniedError):
        guard.check("l")


# Patterns.


@pytest.mark.parametrize(
    ("modes", "category", "purposes", "mode"),
    [
        ({}, "k", ["e"], "enforce"),
        ({"k:e": "observe"}, "k", ["e"], "observe"),
        ({"k:e": "observe"}, "k", [], "enforce"),
        ({"l:e": "observe"}, "k", ["e"], "enforce"),
        ({"k:*": "observe"}, "k", ["e"], "observe"),
        ({"*:e": "observe"}, "k", ["e"], "observe"),
        ({"*:*": "observe"}, "k", ["e"], "observe"),
        # a purpose covers its children
        ({"l:a": "observe"}, "l", ["a.c"], "observe"),
        ({"l:a.c": "observe"}, "l", ["a"], "enforce"),
        # a named category beats `*`, then the longer purpose wins
        ({"k:*": "enforce", "*:e": "observe"}, "k", ["e"], "enforce"),
        ({"k:*": "observe", "*:e": "enforce"}, "k", ["e"], "observe"),
        ({"l:a": "observe", "*:a.c": "enforce"}, "l", ["a.c"], "observe"),
        ({"l:a": "observe", "l:a.c": "enforce"}, "l", ["a.c"], "enforce"),
        ({"l:a": "enforce", "l:a.c": "observe"}, "l", ["a.c"], "observe"),
        ({"*:a": "observe", "*:a.c": "enforce"}, "l", ["a.c"], "enforce"),
        ({"*:*": "observe", "*:a": "enforce"}, "l", ["a.c"], "enforce"),
        # without a known purpose only patterns whose purpose part is `*` match
        ({"k:*": "observe"}, "k", [], "observe"),
        ({"*:*": "observe"}, "k", [], "observe"),
        ({"*:e": "observe"}, "k", [], "enforce"),
        # several purposes: enforced if any is
        ({"k:e": "observe"}, "k", ["e", "d"], "enforce"),
        ({"k:e": "observe"}, "k", ["d", "e"], "enforce"),
        ({"k:e": "observe", "k:d": "observe"}, "k", ["d", "e"], "observe"),
        ({"*:*": "observe", "l:e": "enforce"}, "l", ["d", "e"], "enforce"),
    ],
)
def test_the_pattern_that_counts(modes, category, purposes, mode):
    """The mode of one denied access, as its record and its raising tell it."""
    guard = Guard(MATRIX, modes=modes)
    with capture(guard) as records, blocks_of(guard, purposes):
        if mode == "enforce":
            with pytest.raises(AccessDeniedError):
                guard.check(category)
        else:
            assert not guard.check(category).permitted
    assert [each.mode for each in records] == [mode]


def blocks_of(guard, purposes):
    """Open a block for each purpose."""
    stack = contextlib.ExitStack()
    for purpose in purposes:
        stack.enter_context(guard.purpose(purpose))
    return stack


def test_patterns_of_enforce_work_under_an_observing_guard():
    """A service moves cell by cell from observe to enforce."""
    guard = Guard(MATRIX, mode="observe", modes={"k:*": "enforce"})
    assert not guard.check("l").permitted
    with pytest.raises(AccessDeniedError):
        guard.check("k")


def test_an_unknown_purpose_matches_only_patterns_for_any():
    """A reload may take a purpose away that code still declares."""
    guard = Guard(MATRIX, mode="observe", modes={"*:e": "enforce", "k:*": "enforce"})
    with guard.purpose("nope"):
        assert guard.check("l").reason == "purpose_unknown"
        with pytest.raises(AccessDeniedError):
            guard.check("k")


def test_an_ancestor_in_force_with_its_child_does_not_count():
    """The purposes in force are those on the chain, less every ancestor of another one."""
    guard = Guard(MATRIX, mode="observe", modes={"l:a": "enforce", "l:a.c": "observe"})
    with guard.purpose("a"), guard.purpose("a.c"):
        assert guard.check("l").reason == "not_granted"
