"""Loading: a guard without a policy, the first load, later ones, modes, and health."""

import json
import logging
from pathlib import Path

import pytest

from purposeguard import (
    Guard,
    OutOfPurposeError,
    PolicyError,
    Reason,
    UndecidedAccessError,
    UnknownNameError,
    bundled_policy,
    load_policy,
)
from purposeguard.policy_file import parse_policy
from purposeguard.testing import capture

SMARTHR = bundled_policy("smarthr")


def policy(*, purposes=("care", "care.visit"), categories=("patient",), version="1", granted=True):
    """Return a policy that grants its first category for its last purpose."""
    content = {
        "purposeguard": 1,
        "policy": "clinic",
        "version": version,
        "purposes": {purpose: {"title": purpose} for purpose in purposes},
        "categories": {key: {"title": key, "items": ["name", "record"]} for key in categories},
        "matrix": {categories[0]: {purposes[-1]: {"clauses": ["1"]}}} if granted else {},
    }
    return parse_policy(json.dumps(content))


def write(folder, content):
    """Write a policy file and return its path."""
    path = folder / "policy.json"
    path.write_text(json.dumps(content.document.model_dump(mode="json", exclude_none=True)))
    return path


def place(mark):
    """Return where the line with this comment is, as messages name it."""
    lines = Path(__file__).read_text("utf-8").splitlines()
    (line,) = (number for number, text in enumerate(lines, 1) if text.endswith(f"  # {mark}"))
    return f"{__file__}:{line}"


# Without a policy.


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_a_guard_without_a_policy_refuses_every_access(mode):
    """Function, block and check alike; observed, they are gaps and go on."""
    guard = Guard(mode=mode)

    @guard.purpose("care")
    @guard.access("patient")
    def read():
        return "data"

    def block():
        with guard.purpose("care"), guard.access("patient"):
            return "data"

    def check():
        with guard.purpose("care"):
            guard.check("patient")
        return "data"

    with capture(guard) as records:
        for use in (read, block, check):
            if mode == "observe":
                assert use() == "data"
                continue
            with pytest.raises(UndecidedAccessError, match=r"call `guard\.load` first") as caught:
                use()
            assert caught.value.decision.reason is Reason.POLICY_NOT_LOADED
    assert [record.reason for record in records] == ["policy_not_loaded"] * 3


def test_a_guard_without_a_policy_still_refuses_what_can_be_no_name():
    """For that no policy is needed."""
    with pytest.raises(UnknownNameError, match="given as `bytes`"):
        Guard().access(b"patient")(len)
    with pytest.raises(UnknownNameError, match="`items` is one name"):
        Guard().access("patient", items="name")(len)


# The first load.


def test_the_first_load_judges_all_names_with_their_places():
    """One error has every name that the policy lacks, each with file and line of its decorator."""
    guard = Guard()

    @guard.access("patient", items=["name"])
    def known():
        pass

    @guard.access("pateint")  # a category
    def first():
        pass

    class Store:
        @guard.access("patient", items=["name", "recrd", "address"])  # two items
        def second(self):
            pass

        @property
        @guard.access("patient", purpose="caring", recipient="lab")  # purpose and recipient
        def third(self):
            pass

    guard.purpose("care.visits")(known)  # a purpose

    with pytest.raises(UnknownNameError) as caught:
        guard.load(policy())
    mean, declare = "did you mean", "declare it there, or correct the name"
    assert str(caught.value).splitlines() == [
        f"{place('a category')}: `pateint` is no category of the policy: {mean} `patient`?",
        f"{place('two items')}: `recrd` is no item of `patient` of the policy: {mean} `record`?",
        f"{place('two items')}: `address` is no item of `patient` of the policy: {declare}",
        f"{place('purpose and recipient')}: `caring` is no purpose of the policy: {mean} `care`?",
        f"{place('purpose and recipient')}: `lab` is no recipient of the policy: {declare}",
        f"{place('a purpose')}: `care.visits` is no purpose of the policy: {mean} `care.visit`?",
    ]
    assert (caught.value.name, caught.value.suggestion) == ("pateint", "patient")


def test_a_refused_first_load_changes_nothing():
    """The guard stays without a policy, and a policy that has the names loads."""
    guard = Guard()

    @guard.purpose("care.visit")
    @guard.access("patient")
    def read():
        return "data"

    with pytest.raises(UnknownNameError):
        guard.load(policy(categories=("client",)))
    assert guard.policy is None
    with pytest.raises(UndecidedAccessError):
        read()
    guard.load(policy())
    assert read() == "data"
    with pytest.raises(UnknownNameError):
        guard.access("client")(lambda: None)


def test_a_decorated_name_that_was_refused_is_not_remembered():
    """What raised when it was decorated is no part of the code, and stops no later load."""
    guard = Guard(policy())
    with pytest.raises(UnknownNameError):
        guard.access("client")(lambda: None)
    guard.load(policy(version="2"))
    assert guard.policy.version == "2"


# Later loads.


def test_a_later_load_is_never_refused_for_a_name(caplog):
    """What the new policy lacks is a gap where it is used, and one event lists it all."""
    guard = Guard(policy(), modes={"patient:care": "observe"})

    @guard.purpose("care.visit")  # why
    @guard.access("patient", items=["name"])  # what
    def read():
        return "data"

    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="purposeguard"):
        guard.load(policy(purposes=("study",), categories=("client",)))
    (event,) = caplog.records
    told = event.getMessage()
    assert "lacks 4 names that code uses" in told
    assert f"{place('what')}: `patient` is no category of the policy" in told
    assert f"{place('why')}: `care.visit` is no purpose of the policy" in told
    assert "the pattern `patient:care` names no category" in told
    assert "the pattern `patient:care` names no purpose" in told
    with pytest.raises(UndecidedAccessError) as caught:
        read()
    assert caught.value.decision.reason is Reason.CATEGORY_UNKNOWN
    guard.load(policy(purposes=("study",)))
    with pytest.raises(UndecidedAccessError) as caught:
        read()
    assert caught.value.decision.reason is Reason.PURPOSE_UNKNOWN
    guard.load(policy())
    assert read() == "data"


def test_a_later_load_judges_by_the_new_policy_at_once():
    """Answers that were prepared under the old policy are gone."""
    guard = Guard(policy())

    @guard.access("patient")
    def read():
        return "data"

    with guard.purpose("care.visit"):
        assert read() == "data"
        guard.load(policy(granted=False))
        with pytest.raises(OutOfPurposeError):
            read()
        with pytest.raises(UnknownNameError):
            guard.access("client")(read)
        guard.load(policy(categories=("patient", "client")))
        assert read() == "data"
        guard.access("client")(lambda: None)


def test_a_file_that_cannot_be_used_leaves_the_policy(tmp_path, caplog):
    """The error has file, line and column; the last good policy stays, and an event says so."""
    guard = Guard(policy())
    path = tmp_path / "policy.yaml"
    path.write_text("purposeguard: 1\npolcy: x\n...\n")
    with (
        caplog.at_level(logging.ERROR, logger="purposeguard"),
        pytest.raises(PolicyError) as caught,
    ):
        guard.load(path)
    assert f"{path}:2:1: unknown key `polcy`: did you mean `policy`?" in str(caught.value)
    assert len(caught.value.problems) > 1
    assert "the last good one stays in force" in caplog.text
    assert guard.policy.name == "clinic"


# Paths and wrong types.


@pytest.mark.parametrize("kind", [str, Path])
def test_a_policy_is_given_by_its_path(tmp_path, kind):
    """To the guard or to `load`, as text or as a path."""
    path = write(tmp_path, policy())
    assert Guard(kind(path)).policy.digest == policy().digest
    guard = Guard()
    guard.load(kind(path))
    assert guard.policy.digest == load_policy(path).digest
    assert guard.policy.origin == str(path)


@pytest.mark.parametrize("given", [42, b"policy.yaml", {}, SMARTHR.document, True, ["policy.yaml"]])
def test_what_is_no_policy_is_refused(given):
    """An error of ours, never one of Python's own."""
    with pytest.raises(PolicyError, match="give the path of a policy file"):
        Guard(given)
    with pytest.raises(PolicyError, match="give the path of a policy file"):
        Guard().load(given)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    """The message says what to check."""
    with pytest.raises(PolicyError, match=r"no such file or directory.*check the path"):
        Guard(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"mode": "Enforce"}, "is no mode: use `enforce` or `observe`"),
        ({"mode": None}, "is no mode: use `enforce` or `observe`"),
        ({"mode": ""}, "is no mode: use `enforce` or `observe`"),
        ({"modes": {"patient": "enforce"}}, "is no pattern: write `category:purpose`"),
        ({"modes": {"patient:*": "off"}}, "`off` is no mode"),
        ({"modes": {"pateint:*": "enforce"}}, "did you mean `patient`?"),
        ({"modes": "patient:*"}, "`modes` is no mapping"),
        ({"subject_key": "x" * 32}, "the subject key is no bytes"),
        ({"subject_key": b"short"}, "the subject key has 5 bytes: use at least 16"),
        ({"actor": "me"}, "`actor` can't be called"),
        ({"service": 7}, "`service` is no text"),
    ],
)
def test_what_a_guard_is_made_with_is_judged_at_once(given, message):
    """An unknown mode is never "off", and nothing waits for the first access to fail."""
    with pytest.raises(UnknownNameError) as caught:
        Guard(policy(), **given)
    assert message in str(caught.value)


# Modes.


def test_a_load_may_replace_the_mode():
    """Without one the mode stays; the patterns stay in either case."""
    guard = Guard(policy(granted=False), mode="observe", modes={"patient:care.visit": "enforce"})

    def answers():
        with guard.purpose("care"), guard.access("patient"):
            pass
        return guard.health().mode

    assert answers() == "observe"
    guard.load(policy(granted=False, version="2"))
    assert answers() == "observe"
    guard.load(policy(granted=False, version="2"), mode="enforce")
    assert guard.health().mode == "enforce"
    with pytest.raises(OutOfPurposeError):
        answers()
    guard.load(policy(granted=False, version="3"), mode="observe")
    assert answers() == "observe"
    with pytest.raises(OutOfPurposeError), guard.purpose("care.visit"), guard.access("patient"):
        pass


@pytest.mark.parametrize("mode", ["Observe", "", "off", False, b"observe"])
def test_an_unknown_mode_at_a_load_changes_nothing(mode):
    """Neither the mode nor the policy."""
    guard = Guard(policy())
    with pytest.raises(UnknownNameError):
        guard.load(policy(version="2"), mode=mode)
    assert (guard.policy.version, guard.health().mode) == ("1", "enforce")


def test_the_first_load_judges_the_patterns():
    """They could not be judged before."""
    guard = Guard(modes={"pateint:*": "observe"})
    with pytest.raises(UnknownNameError, match="did you mean `patient`"):
        guard.load(policy())
    assert guard.policy is None


def test_patterns_are_read_once():
    """What is done to the mapping afterwards changes no mode, not even at a later load."""
    modes = {"patient:*": "observe"}
    guard = Guard(policy(granted=False), modes=modes)
    modes["*:*"] = "off"
    modes["patient:*"] = "enforce"
    guard.load(policy(granted=False), mode="enforce")
    with guard.purpose("care"), guard.access("patient"):
        pass


# Health.


def test_health_says_which_policy_is_in_force():
    """Name, version, digest and mode, and no faults; without a policy there is none to name."""
    empty = Guard(mode="observe").health()
    assert (empty.policy, empty.policy_version, empty.policy_digest) == (None, None, None)
    assert empty.mode == "observe"
    health = Guard(SMARTHR).health()
    assert (health.policy, health.policy_version) == ("smarthr", SMARTHR.version)
    assert health.policy_digest == SMARTHR.digest
    assert not any(health.faults.values())


def test_health_counts_what_failed_in_the_evidence():
    """An actor that can't be had is a fault, and changes no answer."""

    def nobody():
        raise LookupError("no request")

    guard = Guard(policy(), actor=nobody, subject_key=b"0123456789abcdef")
    with capture(guard), guard.purpose("care.visit"):
        assert guard.check("patient").permitted
    assert guard.health().faults["actor"] == 1


def test_several_guards_live_side_by_side():
    """Each has its own policy and its own chain."""
    first, second = Guard(policy()), Guard(policy(granted=False))
    with first.purpose("care.visit"):
        assert first.check("patient").permitted
        with pytest.raises(UndecidedAccessError) as caught:
            second.check("patient")
        assert caught.value.decision.reason is Reason.PURPOSE_UNDECLARED
