"""A change while many read: in its process the next access knows it, elsewhere soon."""

import os
import subprocess
import sys
import time
from collections import Counter

import pytest
from subject_kit import DEADLINE, KEY, in_threads

from purposeguard import AccessDeniedError, Guard, bundled_policy
from purposeguard.subjects import look_up

SMARTHR = bundled_policy("smarthr")

CONSENT = {"category": "event_participant", "subject": 7, "recipient": "co_host"}
CHANGES = {
    "consent withdrawn": (
        lambda s: s.consent_given(wording="v1", **CONSENT),
        lambda s: s.consent_withdrawn(**CONSENT),
        ("events.operation", "event_participant"),
        {"items": ["name"], "recipient": "co_host", "subject": 7},
        "consent_withdrawn",
    ),
    "use suspended": (
        lambda s: s.use_resumed("candidate", 7),
        lambda s: s.use_suspended("candidate", 7),
        ("recruitment.contact", "candidate"),
        {"items": ["contact"], "subject": 7},
        "use_suspended",
    ),
    "mandate ended": (
        lambda s: s.mandate_given("acme"),
        lambda s: s.mandate_ended("acme"),
        ("entrusted.service_delivery", "entrusted"),
        {"customer": "acme"},
        "mandate_missing",
    ),
}
READERS = 8


def read(guard, asked, given):
    """Make an access, and return its reason."""
    purpose, category = asked
    with guard.purpose(purpose, root=True):
        try:
            return str(guard.check(category, **given).reason)
        except AccessDeniedError as error:
            return str(error.decision.reason)


def after_the_change(place, change, rounds=10):
    """Return what accesses came to that began after the change had returned."""
    allow, stop, asked, given, _ = CHANGES[change]
    found = Counter()
    with place.open(timeout=30, cache_seconds=3600) as opened:
        guard = Guard(SMARTHR, subjects=opened, subject_key=KEY)
        state = {"stopped": None, "over": False, "before": 0}  # which time it is stopped, if it is

        def reader():
            while not state["over"]:
                stopped = state["stopped"]
                reason = read(guard, asked, given)
                if stopped is None:
                    state["before"] += 1
                elif stopped is state["stopped"]:
                    found[reason] += 1

        def changer():
            try:
                for _ in range(rounds):
                    state["stopped"] = None
                    allow(opened)
                    seen = state["before"]
                    while state["before"] < seen + READERS:
                        time.sleep(0)
                    stop(opened)
                    state["stopped"] = object()
                    told = found.total()
                    while found.total() < told + READERS:
                        time.sleep(0)
            finally:
                state["over"] = True

        in_threads([changer, *[reader] * READERS])
    return found


@pytest.mark.parametrize("change", CHANGES)
def test_no_access_that_begins_after_a_change_is_permitted(place, change):
    """Eight threads read all the while, from memory."""
    found = after_the_change(place, change)
    assert set(found) == {CHANGES[change][-1]}


def test_a_memory_that_is_not_told_would_be_caught(place, monkeypatch):
    """A cache that learns of changes by its age alone permits after them."""
    monkeypatch.setattr(look_up, "changed", lambda _: None)
    allow, stop, asked, given, _ = CHANGES["use suspended"]
    with place.open(timeout=30, cache_seconds=3600) as opened:
        guard = Guard(SMARTHR, subjects=opened, subject_key=KEY)
        allow(opened)
        assert read(guard, asked, given) == "granted"
        stop(opened)
        assert read(guard, asked, given) == "granted"


READER = """
import os, sys, time
from test_subject_store_guarded import CHANGES, KEY, SMARTHR, read
from purposeguard import Guard
from purposeguard.subjects.sql import SqlSubjects
url, change, cache = sys.argv[1:4]
with SqlSubjects(url, key=KEY, cache_seconds=float(cache), timeout=30) as store:
    guard = Guard(SMARTHR, subjects=store, subject_key=KEY)
    _, _, asked, given, denied = CHANGES[change]
    while True:
        began = time.monotonic()
        reason = read(guard, asked, given)
        print(began, reason, flush=True)
        if reason == denied:
            break
"""


@pytest.mark.parametrize("change", CHANGES)
def test_another_process_knows_a_change_after_the_caches_lifetime(place, change):
    """By the clock that both have: no access that begins later than that is permitted."""
    cache = 0.3
    allow, stop, _, _, denied = CHANGES[change]
    with place.open(timeout=30) as opened:
        allow(opened)
        command = [sys.executable, "-c", READER, place.url, change, str(cache)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment, text=True) as other:
            assert other.stdout.readline().split()[1] == "granted"
            stop(opened)
            stopped = time.monotonic()
            told = [line.split() for line in other.stdout.read().splitlines()]
            assert other.wait(DEADLINE) == 0
    assert told[-1][1] == denied
    late = [began for began, reason in told if float(began) > stopped + cache and reason != denied]
    assert late == []
