"""Grounds: the lawful exceptions of H3(i), stated for a block and recorded from start to end."""

import asyncio
import contextlib
import contextvars
import json
import os
import re
import threading
import time
from datetime import timedelta
from pathlib import Path

import pytest

from cli.command_line import run
from purposeguard import (
    AccessDeniedError,
    Guard,
    Ledger,
    PurposeGuardError,
    ScopeError,
    UnknownNameError,
    bundled_policy,
)
from purposeguard.evidence.ledger import segment
from purposeguard.evidence.ledger.journal import UnrecordedError
from purposeguard.evidence.ledger.verify import keys_by_id, verify
from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.matrix import compile_document
from purposeguard.scope import Chain, OpenGround
from purposeguard.subjects.keys import SubjectKey
from purposeguard.testing import capture

SMARTHR = bundled_policy("smarthr")
KEY = b"a key of the tests, no secret"
PURPOSE = "events.operation"
WHY = "a court has ordered it"
DIFFICULT = {"justification": "the person is unconscious", "condition": "consent_difficult"}


@pytest.fixture
def guard():
    """A guard with SmartHR's policy and no store of subjects: consent can't be looked up."""
    return Guard(SMARTHR)


def reason(guard, **changed):
    """Return the reason for giving an event's participant to a co-host."""
    given = {"items": ["name"], "recipient": "co_host", **changed}
    category = given.pop("category", "event_participant")
    try:
        return str(guard.check(category, **given).reason)
    except AccessDeniedError as error:
        return str(error.decision.reason)


def lines(place, *kinds):
    """Return the lines of a ledger that are of these kinds."""
    found = [
        json.loads(line)
        for path in sorted(Path(place).glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
        if line
    ]
    return [line for line in found if line["kind"] in kinds]


@pytest.mark.parametrize(
    ("clause", "name", "stated"),
    [
        ("H3(i)-1", "legal_obligation", {"justification": WHY}),
        ("H3(i)-2", "vital_interest", DIFFICULT),
        ("H3(i)-3", "public_health_or_children", DIFFICULT),
        (
            "H3(i)-4",
            "state_cooperation",
            {"justification": WHY, "condition": "consent_would_impede"},
        ),
    ],
)
def test_a_ground_lifts_the_consent_towards_a_third_party(guard, clause, name, stated):
    """For its block only, and the decision names its clause."""
    with guard.purpose(PURPOSE):
        assert reason(guard) == "evidence_unavailable"
        with guard.ground(name, **stated):
            given = {"items": ["name"], "recipient": "co_host"}
            decision = guard.check("event_participant", **given)
            assert (decision.reason, decision.ground) == ("granted_by_ground", name)
            assert clause in decision.clauses
        assert reason(guard) == "evidence_unavailable"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"recipient": "ad_distributors"}, "recipient_not_listed"),
        ({"recipient": "nobody_known"}, "recipient_not_listed"),
        ({"items": ["usage_log"]}, "item_excess"),
        ({"category": "candidate"}, "not_granted"),
        ({"category": "entrusted", "items": None}, "prohibited"),
    ],
)
def test_a_ground_lifts_nothing_else(changed, expected):
    """No purpose, no recipient, no item; unknown names are gaps to an observing guard."""
    guard = Guard(SMARTHR, mode="observe")
    with guard.purpose(PURPOSE), guard.ground("legal_obligation", justification=WHY):
        assert reason(guard, **changed) == expected


def test_the_consent_of_h3_i_p1_is_not_lifted(guard):
    """A distributor of advertisements needs the customer's consent all the same."""
    with (
        guard.purpose("advertising.delivery"),
        guard.ground("legal_obligation", justification=WHY),
    ):
        found = reason(guard, category="customer_admin", recipient="ad_distributors")
    assert found == "evidence_unavailable"


def test_a_ground_that_is_not_needed_is_ignored(guard):
    """An access within needs none."""
    with guard.purpose(PURPOSE), guard.ground("legal_obligation", justification=WHY):
        assert reason(guard, recipient=None) == "granted"


def test_the_innermost_ground_counts(guard):
    """One that does not lift hides one that would, as the outer one's condition was not asked."""
    policy = SMARTHR.document.model_copy(
        update={
            "grounds": {
                **SMARTHR.document.grounds,
                "legal_obligation": SMARTHR.document.grounds["legal_obligation"].model_copy(
                    update={"lifts": ()}
                ),
            }
        }
    )
    guard.load(compile_document(policy)[0])
    with guard.purpose(PURPOSE), guard.ground("vital_interest", **DIFFICULT):
        assert reason(guard) == "granted_by_ground"
        with guard.ground("legal_obligation", justification=WHY):
            assert reason(guard) == "evidence_unavailable"
        assert reason(guard) == "granted_by_ground"


def test_it_expires(guard):
    """After its time it lifts nothing, though its block is open."""
    with (
        guard.purpose(PURPOSE),
        guard.ground("vital_interest", lasts=timedelta(milliseconds=200), **DIFFICULT),
    ):
        first = reason(guard)
        end = time.monotonic() + 30
        while reason(guard) == "granted_by_ground":
            assert time.monotonic() < end
            time.sleep(0.01)
    assert first == "granted_by_ground"


def test_a_policy_that_ties_it_to_a_condition_is_not_met_by_an_open_block(guard):
    """What was never stated can't be read into it, and counts where it was."""
    content = SMARTHR.document.model_dump(mode="json", exclude_none=True)
    content["grounds"]["legal_obligation"]["condition"] = "ordered"
    with guard.purpose(PURPOSE), guard.ground("legal_obligation", justification=WHY):
        assert reason(guard) == "granted_by_ground"
        guard.load(compile_document(PolicyDocument.model_validate(content))[0])
        assert reason(guard) == "evidence_unavailable"
        with guard.ground("legal_obligation", justification=WHY, condition="ordered"):
            assert reason(guard) == "granted_by_ground"


def test_one_that_has_ended_during_a_look_up_lifts_nothing():
    """The record of its end comes first, so the access has none to stand on."""
    entered, left = threading.Event(), threading.Event()

    class People:
        key_id, timeout, cache_seconds = SubjectKey(KEY).id, 30.0, 0.0

        def facts(self, _):
            entered.set()
            left.wait(30)
            return {}

    guard = Guard(SMARTHR, subjects=People(), subject_key=KEY)

    @guard.access("event_participant", items=["name"], recipient="co_host", subject="who")
    async def hand(who):
        return who

    async def work():
        with guard.purpose(PURPOSE):
            with guard.ground("legal_obligation", justification=WHY):
                task = asyncio.ensure_future(hand(7))
                while not entered.is_set():
                    await asyncio.sleep(0.01)
            left.set()
            with pytest.raises(AccessDeniedError) as denied:
                await task
        assert denied.value.decision.reason == "consent_missing"

    asyncio.run(work())


def test_a_root_scope_drops_it_and_gives_it_back(guard):
    """As it drops the purposes around it."""
    with guard.purpose(PURPOSE), guard.ground("legal_obligation", justification=WHY):
        with guard.purpose(PURPOSE, root=True):
            assert reason(guard) == "evidence_unavailable"
        assert reason(guard) == "granted_by_ground"


def test_it_is_inherited_by_scopes_inside(guard):
    """A purpose, an access with a purpose of its own, and a guarded function."""
    handed = guard.access(
        "event_participant", items=["name"], recipient="co_host", purpose=PURPOSE
    )(lambda: "given")
    with guard.ground("legal_obligation", justification=WHY):
        with guard.purpose(PURPOSE):
            assert reason(guard) == "granted_by_ground"
        assert handed() == "given"
    with pytest.raises(AccessDeniedError):
        handed()


def test_it_is_not_carried(guard):
    """Work that runs elsewhere or later states its own."""
    with guard.purpose(PURPOSE), guard.ground("legal_obligation", justification=WHY):
        later = guard.carry(lambda: reason(guard))
        assert later() == "granted_by_ground"  # the runner's own
    with guard.purpose(PURPOSE):
        assert guard.carry(lambda: reason(guard))() == "evidence_unavailable"
    assert later() == "evidence_unavailable"


def test_a_copied_context_keeps_no_ground_alive(guard):
    """What still holds the block's context after its end is granted nothing by it."""
    with guard.purpose(PURPOSE):
        with guard.ground("legal_obligation", justification=WHY):
            copied = contextvars.copy_context()
            assert copied.run(reason, guard) == "granted_by_ground"
        assert copied.run(reason, guard) == "evidence_unavailable"


def test_a_forked_child_has_no_ground(guard):
    """Its leases are dead there."""
    with guard.purpose(PURPOSE), guard.ground("legal_obligation", justification=WHY):
        child = os.fork()
        if not child:
            with guard.purpose(PURPOSE, root=True):
                plain = reason(guard)
            os._exit(
                0 if (plain, reason(guard)) == ("evidence_unavailable", "purpose_closed") else 1
            )
        assert os.waitpid(child, 0)[1] == 0
        assert reason(guard) == "granted_by_ground"


def test_threads_share_one_scope_object(guard):
    """Each has its own block of it, and ends its own."""
    scope = guard.ground("legal_obligation", justification=WHY)
    barrier = threading.Barrier(4)
    found = []

    def work():
        with guard.purpose(PURPOSE):
            with scope:
                barrier.wait(30)
                found.append(reason(guard))
                barrier.wait(30)
            found.append(reason(guard))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(found) == ["evidence_unavailable"] * 4 + ["granted_by_ground"] * 4


def test_it_is_an_asynchronous_block_as_well(guard):
    """And follows its task, not another one."""

    async def other():
        with guard.purpose(PURPOSE):
            return reason(guard)

    async def work():
        beside = asyncio.ensure_future(other())
        with guard.purpose(PURPOSE):
            async with guard.ground("legal_obligation", justification=WHY):
                await beside
                return reason(guard), await other(), beside.result()

    assert asyncio.run(work()) == (
        "granted_by_ground",
        "granted_by_ground",
        "evidence_unavailable",
    )


def test_a_block_in_a_generator_is_refused(guard):
    """It would stay open while the generator waits, and there is no way round."""

    def leaking():
        with guard.ground("legal_obligation", justification=WHY):
            yield

    with pytest.raises(ScopeError, match=r"`guard\.ground` block in a generator"):
        next(leaking())


@pytest.mark.parametrize(
    ("error", "message", "given"),
    [
        (UnknownNameError, "no text", {"name": 7}),
        (UnknownNameError, "did you mean `vital_interest`", {"name": "vital_intrest"}),
        (ScopeError, "no justification", {"justification": "  "}),
        (ScopeError, "no justification", {"justification": None}),
        (ScopeError, "has 501 characters", {"justification": "x" * 501}),
        (ScopeError, "the reference is none", {"reference": "Ada Lovelace, 1815"}),
        (ScopeError, "the reference is none", {"reference": 7}),
        (ScopeError, "no time a ground may last", {"lasts": timedelta(0)}),
        (ScopeError, "no time a ground may last", {"lasts": timedelta(days=31)}),
        (ScopeError, "no time a ground may last", {"lasts": 60}),
        (ScopeError, 'state `condition="consent_difficult"`', {"condition": None}),
        (
            ScopeError,
            'state `condition="consent_difficult"`',
            {"condition": "consent_would_impede"},
        ),
        (
            ScopeError,
            r"on no condition \(H3\(i\)-1\): state no `condition`",
            {"name": "legal_obligation", "condition": "consent_difficult"},
        ),
    ],
)
def test_what_is_no_statement_is_refused(guard, error, message, given):
    """With one clear error, and the block is not entered."""
    stated = {"name": "vital_interest", **DIFFICULT, **given}
    entered = []
    with pytest.raises(error, match=message) as raised, guard.ground(**stated):
        entered.append(True)
    assert not entered
    assert "unconscious" not in str(raised.value)
    assert "Ada" not in str(raised.value)


def test_a_guard_without_a_policy_has_no_grounds():
    """They are the policy's."""
    with (
        pytest.raises(ScopeError, match="load it first"),
        Guard().ground("legal_obligation", justification=WHY),
    ):
        pass


def test_an_observing_guard_goes_on_without_the_ground():
    """What is wrong with it is counted, and lifts nothing."""
    guard = Guard(SMARTHR, mode="observe")
    with guard.purpose(PURPOSE), guard.ground("vital_interest", justification=WHY):
        assert reason(guard) == "evidence_unavailable"
    assert guard.health().faults["grounds"] == 1


@pytest.mark.parametrize("durability", ["process", "power"])
def test_start_and_end_are_recorded(tmp_path, durability):
    """Records name it, and its justification stands in the ledger once."""
    with Ledger(tmp_path, key=KEY, durability=durability) as ledger:
        guard = Guard(SMARTHR, ledger=ledger, subject_key=KEY, actor=lambda: "ada", service="hr")
        with (
            capture(guard) as records,
            guard.purpose(PURPOSE),
            guard.ground("vital_interest", reference="CASE-17", **DIFFICULT),
        ):
            begun = lines(tmp_path, "ground")  # on record before anything rests on it
            assert reason(guard) == "granted_by_ground"
            assert reason(guard, recipient=None) == "granted"
    (start,) = begun
    start_line, first, second, end = lines(tmp_path, "ground", "access", "ground_end")
    assert start_line == start
    assert (start["ground"], start["condition"]) == ("vital_interest", "consent_difficult")
    assert (start["reference"], start["justification"]) == ("CASE-17", DIFFICULT["justification"])
    assert start["chain"] == [PURPOSE]
    assert start["function"].endswith(".test_start_and_end_are_recorded")
    assert start["service"] == "hr"
    assert len(start["actor"]) == 32
    assert first["ground_id"] == second["ground_id"] == start["id"] == end["id"]
    assert [record.ground_id for record in records] == [start["id"]] * 2
    text = b"".join(path.read_bytes() for path in tmp_path.glob("*.jsonl"))
    assert text.count(DIFFICULT["justification"].encode()) == 1
    assert not verify(tmp_path, keys_by_id([KEY])).problems
    assert verify(tmp_path, keys_by_id([KEY])).records == 2


def test_its_justification_is_in_no_telemetry(guard, caplog):
    """The log event says that it began and ended, and which."""
    with caplog.at_level("DEBUG"), guard.ground("vital_interest", reference="C-1", **DIFFICULT):
        pass
    assert [record.getMessage() for record in caplog.records] == [
        "purposeguard.ground: the ground `vital_interest` has begun",
        "purposeguard.ground: the ground `vital_interest` has ended",
    ]
    assert "unconscious" not in repr([vars(record) for record in caplog.records])


@pytest.mark.parametrize("durability", ["process", "power"])
def test_without_its_record_a_ground_is_not_stated(tmp_path, monkeypatch, durability):
    """A required ledger that can't be written refuses the block, and what is around it stands."""
    with Ledger(tmp_path, durability=durability) as ledger:
        guard = Guard(SMARTHR, ledger=ledger)
        with guard.purpose(PURPOSE):
            reason(guard)

            def failing(*_):
                raise OSError(28, "no room")

            monkeypatch.setattr(segment, "_write_whole", failing)
            with (
                pytest.raises(ScopeError, match=r"could not be recorded \(ENOSPC\)"),
                guard.ground("legal_obligation", justification=WHY),
            ):
                raise AssertionError("it was entered")
            monkeypatch.undo()
            ledger._journal._segments.retry_at = 0
            assert reason(guard) == "evidence_unavailable"
    assert not lines(tmp_path, "ground")


@pytest.mark.parametrize("entering", ["with", "async with"])
def test_where_some_is_observed_an_unrecorded_ground_lifts_nothing(tmp_path, entering):
    """The block goes on, and an enforced access in it is denied."""
    ledger = Ledger(tmp_path)
    guard = Guard(SMARTHR, ledger=ledger, modes={"visitor:*": "observe"})
    ledger.note = lambda *_: (_ for _ in ()).throw(UnrecordedError("ENOSPC"))

    async def within():
        async with guard.ground("legal_obligation", justification=WHY):
            return reason(guard)

    with ledger, guard.purpose(PURPOSE):
        if entering == "with":
            with guard.ground("legal_obligation", justification=WHY):
                assert reason(guard) == "evidence_unavailable"
        else:
            assert asyncio.run(within()) == "evidence_unavailable"
    assert guard.health().faults["grounds"] == 1


def test_where_some_is_observed_a_refused_ground_is_not_the_one_around_it():
    """The innermost counts: what it states does not hold."""
    guard = Guard(SMARTHR, modes={"visitor:*": "observe"})
    with guard.purpose(PURPOSE), guard.ground("legal_obligation", justification=WHY):
        with guard.ground("vital_interest", justification=WHY):
            assert reason(guard) == "evidence_unavailable"
        assert reason(guard) == "granted_by_ground"


def test_a_ledger_that_is_not_required_does_not_stop_a_ground(tmp_path):
    """That it could not be recorded is counted."""
    ledger = Ledger(tmp_path, required=False)
    guard = Guard(SMARTHR, ledger=ledger)
    ledger.close()
    with guard.purpose(PURPOSE), guard.ground("legal_obligation", justification=WHY):
        assert reason(guard) == "granted_by_ground"
    assert guard.health().faults["grounds"] == 2


def test_leaving_raises_nothing_and_restores_what_was_in_force(tmp_path):
    """Whatever has become of the ledger meanwhile."""
    ledger = Ledger(tmp_path)
    guard = Guard(SMARTHR, ledger=ledger)
    with guard.purpose(PURPOSE), contextlib.ExitStack() as stack:
        stack.enter_context(guard.ground("legal_obligation", justification=WHY))
        ledger.close()
    assert guard.health().faults["grounds"] == 1


@pytest.mark.parametrize(
    "forbidden",
    [test_it_expires, test_a_copied_context_keeps_no_ground_alive, test_it_is_not_carried],
)
def test_a_naive_ground_that_never_ends_is_found_out(guard, monkeypatch, forbidden):
    """Were a ground only a name in the context, these would fail."""
    monkeypatch.setattr(OpenGround, "live", lambda _: True)
    monkeypatch.setattr(time, "monotonic", iter(range(0, 10**9, 10)).__next__)
    if forbidden is test_it_is_not_carried:
        renewed = Chain.renewed

        def careless(chain, carried, leases):
            made = renewed(chain, carried, leases)
            made.ground = carried.ground
            return made

        monkeypatch.setattr(Chain, "renewed", careless)
    with pytest.raises((AssertionError, PurposeGuardError)):
        forbidden(guard)


def test_stated_grounds_are_listed_for_review(tmp_path):
    """When, which, why, where, and how much each has permitted."""
    place = tmp_path / "ledger"
    with Ledger(place, key=KEY) as ledger:
        guard = Guard(SMARTHR, ledger=ledger, subject_key=KEY, actor=lambda: "ada", service="hr")
        with guard.purpose(PURPOSE):
            with guard.ground("vital_interest", reference="CASE-17", **DIFFICULT):
                assert reason(guard) == "granted_by_ground"
                assert reason(guard) == "granted_by_ground"
                assert reason(guard, recipient=None) == "granted"
            with guard.ground("legal_obligation", justification="a\x1b[31m\u202e <b>"):
                open_ = run("ledger", "grounds", place, "--format", "json")
        result = run("ledger", "grounds", place, "--format", "json")
    first, second = map(json.loads, result.lines)
    assert (first["ground"], first["condition"]) == ("vital_interest", "consent_difficult")
    assert (first["reference"], first["justification"]) == ("CASE-17", "the person is unconscious")
    assert (first["accesses"], second["accesses"], second["reference"]) == (2, 0, None)
    assert first["begun"] <= first["ended"] <= second["begun"] <= first["expires"]
    assert len(first["actor"]) == 32
    assert json.loads(open_.lines[1])["ended"] is None
    table = run("ledger", "grounds", place, columns="200")
    assert "the person is unconscious" in table.out
    assert "\x1b" not in table.out
    assert "\u202e" not in table.out
    export = tmp_path / "ledger.parquet"
    assert run("ledger", "export", place, "--parquet", export).status == 0
    assert run("ledger", "grounds", export, "--format", "json").lines == result.lines
    later = run("ledger", "grounds", place, "--since", "2999-01-01")
    assert later.out.strip() == "no ground was stated"
    assert run("ledger", "grounds", tmp_path / "nowhere").status == 2


def test_a_planted_time_hides_no_ground_from_review(tmp_path):
    """One that no calendar has is left out."""
    with Ledger(tmp_path) as ledger:
        guard = Guard(SMARTHR, ledger=ledger)
        with guard.purpose(PURPOSE), guard.ground("legal_obligation", justification=WHY):
            reason(guard)
    [path] = tmp_path.glob("*.jsonl")
    kept = [line for line in path.read_text().splitlines() if '"ground_end"' not in line]
    wild = re.sub(r'"expires":"[^"]*"', '"expires":"290000-01-01T00:00:00Z"', "\n".join(kept))
    path.write_text(wild + "\n")
    for form in ("table", "json"):
        result = run("ledger", "grounds", tmp_path, "--format", form)
        assert result.status == 0, result.err
        assert WHY in result.out
