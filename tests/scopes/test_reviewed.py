"""What reviews have found: each case was once decided, recorded or told wrongly."""

import asyncio
import contextlib
import contextvars
import logging
import subprocess
import sys
import textwrap
import threading
from collections import deque
from pathlib import Path

import pytest
from scope_world import MATRIX

from purposeguard import (
    Access,
    AccessDeniedError,
    Guard,
    Reason,
    ScopeError,
    UnknownNameError,
    bundled_policy,
    load_policy,
)
from purposeguard.policy_file import parse_policy
from purposeguard.testing import capture

SMARTHR = bundled_policy("smarthr")
SELECTION = "recruitment.selection"


def reason_of(call, *given):
    try:
        return call(*given).reason
    except AccessDeniedError as error:
        return error.decision.reason


@pytest.mark.parametrize("depth", [1, 62, 63, 64, 65, 66, 70, 200])
def test_a_long_chain_under_an_ended_refused_scope_revives_nothing(depth):
    """However deep it lies: what a refused scope's block ran on stays empty for copies of it."""
    guard = Guard(SMARTHR, mode="observe", modes={"candidate:*": "enforce"})

    def refused():
        with guard.purpose("marketing.information"):
            yield contextvars.copy_context()

    with contextlib.ExitStack() as stack:
        for _ in range(depth):
            stack.enter_context(guard.purpose(SELECTION))
        steps = refused()
        inside = next(steps)
        check = lambda: guard.check("candidate", items=["name"])  # noqa: E731
        before = inside.run(reason_of, check)
        list(steps)
        assert before == inside.run(reason_of, check) == Reason.PURPOSE_UNDECLARED
        assert reason_of(check) == Reason.GRANTED


@pytest.mark.parametrize("depth", [3, 70])
def test_a_long_chain_that_has_ended_stays_dead(depth):
    """Shortened or not, it is closed, and a root scope on top of it is live."""
    guard = Guard(SMARTHR)

    def dig(left):
        with guard.purpose(SELECTION):
            return dig(left - 1) if left else contextvars.copy_context()

    inside = dig(depth)

    def again():
        with guard.purpose(SELECTION):
            return reason_of(guard.check, "candidate")

    def anew():
        with guard.purpose(SELECTION, root=True):
            return reason_of(guard.check, "candidate")

    assert inside.run(again) == Reason.PURPOSE_CLOSED
    assert inside.run(anew) == Reason.GRANTED


def test_granted_items_belong_to_one_policy():
    """While policies are swapped, no answer mixes the items of two."""
    text = (
        "purposeguard: 1\npolicy: p\nversion: v\npurposes: {use: {title: u}}\n"
        "categories: {c: {title: c, items: [a, b]}}\n"
        "matrix: {c: {use: {clauses: [x], items: [ITEM]}}}\n...\n"
    )
    policies = [parse_policy(text.replace("ITEM", item)) for item in "ab"]
    guard, seen, stop = Guard(policies[0]), set(), threading.Event()

    def swap():
        while not stop.is_set():
            for policy in policies:
                guard.load(policy)

    thread = threading.Thread(target=swap)
    switch = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    thread.start()
    try:
        with guard.purpose("use"):
            for _ in range(5_000):
                seen.add(guard.granted_items("c"))
    finally:
        stop.set()
        thread.join()
        sys.setswitchinterval(switch)
    assert seen <= {("a",), ("b",)}


def test_a_signal_handler_may_reload_what_it_interrupts():
    """Two signals close together: the second reload runs inside the first, and both end."""
    program = textwrap.dedent("""
        import os, signal, threading, time
        from purposeguard import Guard, bundled_policy
        import purposeguard.guard as module
        guard = Guard(bundled_policy("smarthr"))
        real, loads = module.load_policy, []
        def slow(path, **bounds):
            loads.append(path)
            if len(loads) == 1:
                os.kill(os.getpid(), signal.SIGHUP)
                time.sleep(0.05)
            return real(path, **bounds)
        module.load_policy = slow
        signal.signal(signal.SIGHUP, lambda *_: guard.load(guard.policy.origin))
        guard.load(guard.policy.origin)
        print(len(loads))
    """)
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, timeout=60, check=False
    )
    assert (ran.returncode, ran.stdout) == (0, b"2\n"), ran.stderr


def test_a_log_handler_may_load_the_policy_that_it_falls_back_to(tmp_path):
    """The event of a refused policy is told after the lock has been given back."""
    guard, bad = Guard(SMARTHR), tmp_path / "bad.yaml"
    bad.write_text("...\n")
    other = parse_policy(
        "purposeguard: 1\npolicy: p\nversion: v\npurposes: {use: {title: u}}\n"
        "categories: {c: {title: c, items: [a]}}\nmatrix: {c: {use: {clauses: [x]}}}\n...\n"
    )

    class FallsBack(logging.Handler):
        def emit(self, record):
            if "refused" in record.getMessage():
                work = threading.Thread(target=guard.load, args=(other,))
                work.start()
                work.join(30)
                assert not work.is_alive()

    handler = FallsBack()
    logging.getLogger("purposeguard").addHandler(handler)
    try:
        with pytest.raises(Exception, match="there is no policy here"):
            guard.load(bad)
    finally:
        logging.getLogger("purposeguard").removeHandler(handler)
    assert guard.policy is other


def test_a_refused_policy_shows_in_health_until_one_is_loaded(tmp_path):
    """With every problem and its place."""
    bad = tmp_path / "bad.yaml"
    bad.write_text("purposeguard: 2\n...\n")
    guard = Guard(SMARTHR)
    with pytest.raises(Exception, match="format version"):
        guard.load(bad)
    assert any(problem.startswith(f"{bad}:1:15") for problem in guard.health().refused)
    guard.load(SMARTHR)
    assert guard.health().refused is None


def test_a_watch_follows_the_file_that_was_loaded_last(tmp_path):
    """Also where its content was the same, and within the bounds that it was loaded in."""
    copy = tmp_path / "copy.yaml"
    copy.write_bytes(Path(SMARTHR.origin).read_bytes())
    guard = Guard(SMARTHR)
    guard.load(copy)
    assert guard.policy.origin == str(copy)
    large = tmp_path / "large.yaml"
    large.write_text("#" * 300_000 + "\n" + copy.read_text())
    guard.load(load_policy(large, max_bytes=400_000))
    with guard.watch(60) as watch:
        large.write_text("#" * 300_000 + "\n" + copy.read_text().replace('"2026-11"', '"2027-01"'))
        watch.look()
    assert guard.policy.version == "2027-01"


def test_a_watch_outlives_what_goes_wrong_in_it(monkeypatch):
    """It is counted, and the next look is taken."""
    guard, looked = Guard(SMARTHR), threading.Event()
    watch = guard.watch(0.005)
    monkeypatch.setattr(watch, "look", lambda: looked.set() or 1 / 0)
    assert looked.wait(30)
    while guard.health().faults.get("watch", 0) < 2:
        looked.wait(0.005)
    assert watch._thread.is_alive()
    monkeypatch.undo()
    watch.stop()


WRONG = {
    "an unknown item": lambda guard: guard.check("candidate", items=["nmae"]),
    "an unknown category": lambda guard: guard.check("candidatee"),
    "a wrong type of subject": lambda guard: guard.check("candidate", subject=1.5),
    "an unknown purpose": lambda guard: guard.purpose("recruitmnt").__enter__(),
    "a dead chain carried": lambda guard: dead(guard).run(guard.carry, lambda: None),
}


def dead(guard):
    with guard.purpose(SELECTION):
        return contextvars.copy_context()


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("how", [{"mode": "observe"}, {"modes": {"*:*": "observe"}}])
def test_observing_by_pattern_raises_as_little_as_observing_at_all(wrong, how):
    """A service that moves cell by cell is not broken where it is only observed."""
    guard = Guard(SMARTHR, **how)
    contextvars.copy_context().run(WRONG[wrong], guard)
    with pytest.raises((UnknownNameError, ScopeError)):
        contextvars.copy_context().run(WRONG[wrong], Guard(SMARTHR))


def test_a_cell_that_is_enforced_raises_whatever_the_rest_does():
    """The mode that counts is the access's own."""
    guard = Guard(SMARTHR, mode="observe", modes={"candidate:*": "enforce"})
    assert guard.check("visitor", items=["nmae"]).reason == Reason.PURPOSE_UNDECLARED
    with pytest.raises(UnknownNameError):
        guard.check("candidate", items=["nmae"])


class Trap(list):
    """A list that can't be read."""

    def __iter__(self):
        raise RuntimeError("read")


class Lazy:
    """An object that answers no question, the one for its class included."""

    def __getattribute__(self, name):
        raise RuntimeError("not ready")


@pytest.mark.parametrize("make", [lambda: Trap([1]), Lazy], ids=["trap", "lazy"])
def test_values_that_can_not_be_read_are_refused_or_a_gap(make):
    """Never the value's own exception, and in observe a record."""
    value = make()
    for named in ({"subject": value}, {"customer": value}, {"items": value}):
        with pytest.raises(UnknownNameError):
            Guard(SMARTHR).check("candidate", **named)
        watching = Guard(SMARTHR, mode="observe")
        with capture(watching) as records:
            watching.check("candidate", **named)
        assert [record.reason for record in records] == [Reason.CHECK_FAILED]
    with pytest.raises(UnknownNameError):
        Guard(SMARTHR).purpose(SELECTION, subject=value).__enter__()
    assert Guard(SMARTHR).decide(value).reason == Reason.CHECK_FAILED


def test_a_person_who_can_not_be_read_is_nobody_and_not_the_one_around():
    """In observe the access goes on, with no subject in its record."""
    guard = Guard(MATRIX, mode="observe", subject_key=b"k" * 32)
    with guard.purpose("a", subject=7), guard.purpose("a", subject=2.5), capture(guard) as records:
        guard.check("k")
    assert records[0].subjects == ()


def test_a_generator_keeps_the_people_of_its_call():
    """Also where the consumer is nested in the scope of the call, with other people."""
    guard = Guard(MATRIX, subject_key=b"k" * 32)

    @guard.access("k")
    def rows():
        yield 1

    with capture(guard) as records, guard.purpose("a", subject=7):
        made, expected = rows(), guard.check("k")
        with guard.purpose("a", subject=8):
            list(made)
    assert expected.permitted
    assert records[0].subjects == records[1].subjects


def test_a_decision_is_true_where_it_permits():
    """So that `if guard.decide(…)` means what it says."""
    guard = Guard(SMARTHR)
    assert guard.decide(Access("candidate", purposes=(SELECTION,)))
    assert not guard.decide(Access("candidate", purposes=("marketing.information",)))


@pytest.mark.parametrize("mode", ["enforce", "observe"])
@pytest.mark.parametrize("noun", ["access", "purpose"])
def test_a_decorator_without_its_parentheses_is_refused(mode, noun):
    """At once, with the fix."""
    with pytest.raises(ScopeError, match=rf'write `@guard.{noun}\("…"\)`'):
        getattr(Guard(SMARTHR, mode=mode), noun)(lambda: None)


def test_a_step_whose_purpose_ended_inside_it_hands_nothing_over():
    """Neither what it yields nor what it returns; and that is an access of its own."""
    guard = Guard(SMARTHR)

    async def read(kind):
        block = guard.purpose(SELECTION)

        @guard.access("candidate", items=["name"])
        def rows():
            guard_exit(block)
            if kind == "yield":
                yield "row"
            return "row"

        @guard.access("candidate", items=["name"])
        async def stream():
            guard_exit(block)
            yield "row"

        block.__enter__()
        if kind == "async":
            return await anext(stream())
        return next(rows())

    def guard_exit(block):
        # As another task would: in a context that holds the block's chain too.
        contextvars.copy_context().run(block.__exit__, None, None, None)

    for kind in ("yield", "return", "async"):
        with capture(guard) as records, pytest.raises(AccessDeniedError) as denied:
            asyncio.run(read(kind))
        assert denied.value.decision.reason == Reason.PURPOSE_CLOSED
        assert [record.reason for record in records] == ["granted", "purpose_closed"]


def test_a_failed_check_of_a_generator_stays_failed():
    """At its call, and at its steps."""
    guard = Guard(MATRIX, mode="observe")

    @guard.access("k", subject=lambda call: call.arguments["nobody"])
    def rows():
        yield 1

    with capture(guard) as records, guard.purpose("a"):
        list(rows())
    assert {record.reason for record in records} == {Reason.CHECK_FAILED}


def test_a_root_that_is_handed_over_is_still_a_root():
    """What is carried within a root scope, or run within one, says so in its record."""
    guard = Guard(MATRIX)
    with guard.purpose("a", root=True):
        work = guard.carry(lambda: guard.check("k"))
    plain = guard.carry(lambda: guard.check("k"))
    with capture(guard) as records:
        work()
        with guard.purpose("a", root=True):
            guard.carry(lambda: guard.check("k"))()
            plain()
    assert [record.root for record in records] == [True, True, True]


def test_a_purpose_that_a_reload_removed_is_a_gap_and_not_an_unknown_name():
    """So that one error handler meets it; a name that no policy ever had still is an error."""
    guard = Guard(SMARTHR)
    guard.load(MATRIX)
    with guard.purpose(SELECTION):
        assert reason_of(guard.check, "k") == Reason.PURPOSE_UNKNOWN
    assert reason_of(guard.check, "candidate") == Reason.CATEGORY_UNKNOWN
    with pytest.raises(UnknownNameError):
        guard.purpose("recruitmnt").__enter__()


def test_names_met_at_run_time_do_not_show_in_an_access():
    """Its repr holds keys, and lengths of anything else."""
    shown = repr(Access("mail ada@example.com", items=("name", "ada@example.com")))
    assert "ada" not in shown
    assert "'name'" in shown


def test_unguarded_functions_are_found_in_slots_queues_views_and_keys():
    """And an object that answers no question does not end the search."""
    guard = Guard(MATRIX)

    class Route:
        __slots__ = ("endpoint",)

    def made():
        def load():
            return 1

        return load, guard.access("k")(load)

    for register in (
        lambda raw: setattr(Route, "made", Route()) or setattr(Route.made, "endpoint", raw),
        lambda raw: deque([raw]),
        lambda raw: {1: raw}.values(),
        lambda raw: {raw: 1},
        lambda raw: [Lazy(), raw],
    ):
        raw, guarded = made()
        registry = register(raw) or Route.made
        holder = type("Holder", (), {"registry": registry, "load": staticmethod(guarded)})
        assert guard.find_unguarded(holder), register
