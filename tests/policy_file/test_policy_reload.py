"""Loading again: one policy or the other, never a mixture, a hole, or more and more memory."""

import gc
import itertools
import logging
import sys
import threading
import time
import tracemalloc

import pytest
from policy_texts import SMALL

from effort import effort
from purposeguard import Guard, load_policy
from purposeguard.exceptions import PolicyError
from purposeguard.policy.access import Access
from purposeguard.policy.decide import decide
from purposeguard.policy.reasons import Reason
from purposeguard.policy_file import parse_policy
from purposeguard.testing import capture

READERS = 8
SWAPS = effort(quick=300, ci=2_000, full=50_000)
RELOADS = effort(quick=150, ci=1_000, full=36_000)
PATIENCE = 60
"""Seconds after which a test stops waiting for its threads to meet."""

FLAT = 256 * 1024
"""By how many bytes memory may differ after any number of reloads."""

GRANTING = SMALL
DENYING = SMALL.replace("billing: {clauses: [C1]}", "billing: {clauses: [C2], items: [name]}")
POLICIES = {policy.digest: policy for policy in map(parse_policy, (GRANTING, DENYING))}
ACCESS = Access("customer", purposes=("billing",))


@pytest.fixture
def files(tmp_path):
    """Return the files of both policies."""
    paths = [tmp_path / "granting.yaml", tmp_path / "denying.yaml"]
    for path, text in zip(paths, (GRANTING, DENYING), strict=True):
        path.write_text(text, "utf-8")
        path.chmod(0o644)
    return paths


@pytest.fixture
def eager():
    """Let threads take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def under_load(change, read, *, swaps, enough):
    """Call `read` in many threads while `change` is called again and again. Returns all faults.

    It is called `swaps` times, and as often as it takes until there is enough.
    """
    stop, faults = threading.Event(), []

    def reader():
        while not stop.is_set():
            try:
                read()
            except Exception as error:  # noqa: BLE001 - a missing answer may be of any kind
                faults.append(error)

    threads = [threading.Thread(target=reader) for _ in range(READERS)]
    for thread in threads:
        thread.start()
    end = time.monotonic() + PATIENCE
    try:
        while swaps > 0 or not (enough() or time.monotonic() > end):
            swaps -= 1
            change()
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    return faults


def test_p47_each_record_is_reproduced_by_the_policy_of_its_digest(files, eager):
    """Threads have accesses judged while the policy changes: no torn and no missing answer."""
    guard = Guard(files[0], mode="observe")
    sources = itertools.cycle([files[1], POLICIES[guard.policy.digest]])
    answers = set()

    def read():
        with guard.purpose("billing"):
            decision = guard.check("customer")
        pure = guard.decide(ACCESS)
        for each in (decision, pure):
            again = decide(POLICIES[each.policy_digest], ACCESS)
            assert (each.reason, each.clauses) == (again.reason, again.clauses)
        answers.add(decision.reason)

    with capture(guard) as records:
        faults = under_load(
            lambda: guard.load(next(sources)),
            read,
            swaps=SWAPS,
            enough=lambda: len(answers) == 2,
        )
    assert not faults
    assert answers == {Reason.GRANTED, Reason.ITEM_EXCESS}
    assert records
    for record in records:
        again = decide(POLICIES[record.decision.policy_digest], ACCESS)
        assert record.decision.reason is again.reason


class InPlace:
    """A guard that clears its matrix and fills it anew, as some do."""

    def __init__(self):
        self.rows = {}
        self.digest = ""

    def load(self, policy):
        """Exchange the content of the one matrix."""
        self.rows.clear()
        self.rows.update(policy.rows)
        self.digest = policy.digest

    def check(self):
        """Judge by what is there now: digest and row are read one after the other."""
        policy = POLICIES[self.digest]
        assert self.rows["customer"].cells["billing"] == policy.rows["customer"].cells["billing"]


def test_p47_a_reload_in_place_is_found_out(eager):
    """The load bites: clear and update tears answers apart or loses them."""
    naive, found = InPlace(), []
    naive.load(next(iter(POLICIES.values())))
    sources = itertools.cycle(POLICIES.values())

    def change():
        for _ in range(200):
            naive.load(next(sources))

    def read():
        try:
            naive.check()
        except Exception:
            found.append(1)
            raise

    assert under_load(change, read, swaps=0, enough=lambda: bool(found))


def statuses(caplog):
    """Return status and version of each event about a policy."""
    told = [record.purposeguard for record in caplog.records if record.name == "purposeguard"]
    return [
        (each["purposeguard.policy.status"], each.get("purposeguard.policy.version"))
        for each in told
    ]


def test_p44_a_policy_served_again_is_on_record(files, caplog):
    """Going back to an older version isn't refused: its event has version and digest."""
    caplog.set_level("INFO", "purposeguard")
    files[1].write_text(SMALL.replace('"1"', '"2"'), "utf-8")
    guard = Guard(files[0])
    guard.load(files[1])
    guard.load(files[0])
    assert statuses(caplog) == [("loaded", "1"), ("loaded", "2"), ("loaded", "1")]
    digests = [record.purposeguard["purposeguard.policy.digest"] for record in caplog.records]
    assert digests[0] == digests[2] == load_policy(files[0]).digest != digests[1]


def test_the_same_content_again_is_no_event(files, caplog):
    """A file that is only laid out anew replaces nothing."""
    caplog.set_level("INFO", "purposeguard")
    guard = Guard(files[0])
    policy = guard.policy
    files[0].write_text("# a comment\n" + GRANTING, "utf-8")
    guard.load(files[0])
    assert guard.policy is policy
    assert statuses(caplog) == [("loaded", "1")]


def test_a_guard_that_never_had_a_policy_denies_after_a_refused_load(files, caplog):
    """A first load that fails leaves everything refused, and is told once."""
    guard = Guard()
    files[0].write_text("oops\n", "utf-8")
    with pytest.raises(PolicyError):
        guard.load(files[0])
    assert guard.policy is None
    assert guard.decide(ACCESS).reason is Reason.POLICY_NOT_LOADED
    assert statuses(caplog) == [("refused", None)]
    assert "there is none in force" in caplog.text


def growth(work, times):
    """Return by how many bytes memory has grown after a piece of work, again and again."""
    for _ in range(20):
        work()
    gc.collect()
    tracemalloc.start()
    try:
        for _ in range(20):
            work()
        gc.collect()
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(times):
            work()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return after - before


@pytest.mark.timeout(0)
def test_p46_memory_stays_flat_over_reloads(files, caplog):
    """Ten reloads a second for an hour (full effort), good ones, bad ones and accesses between."""
    caplog.set_level(logging.CRITICAL, "purposeguard")  # pytest keeps what is logged
    guard = Guard(files[0], mode="observe")
    bad = files[0].with_name("bad.yaml")
    bad.write_text(SMALL.replace("matrix:", "matrixx:"), "utf-8")
    bad.chmod(0o644)
    sources = itertools.cycle([files[1], files[0]])

    @guard.access("customer")
    def read():
        return 1

    def work():
        guard.load(next(sources))
        with guard.purpose("billing"):
            read()
            guard.check("customer", items=["name"])
        with pytest.raises(PolicyError):
            guard.load(bad)

    assert growth(work, RELOADS) < FLAT


def test_p46_a_guard_that_keeps_old_policies_is_found_out(files):
    """The bound bites: a history of policies passes it."""
    kept = []
    assert growth(lambda: kept.append(load_policy(files[0])), 150) > FLAT
