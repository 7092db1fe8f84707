"""What the hazard tests share: a small policy, a guard for it, and attacks run on two guards."""

import asyncio
import contextvars
import gc
import inspect
import os
import subprocess
import sys
from pathlib import Path

import pytest
from naive import NaiveGuard

from purposeguard import AccessDeniedError, Guard, PurposeGuardError
from purposeguard.policy_file import parse_policy
from purposeguard.testing import capture

DATA = "Mika Example, 12 Made-up Lane"
"""What is protected, and a canary: it may turn up nowhere but in a permitted call's result."""

POLICY = """\
purposeguard: 1
policy: hazards
version: "1"
purposes:
  hiring: {title: Hiring}
  hiring.selection: {title: Select whom to hire}
  hiring.contact: {title: Contact a candidate}
  ads: {title: Advertising}
  ads.mail: {title: Advertising by mail}
  adsx: {title: A purpose whose name only begins like another one's}
categories:
  candidate: {title: Candidates, items: [name, history]}
  customer: {title: Customers, items: [name, email]}
  alumnus: {title: Former employees, items: [name]}
matrix:
  candidate:
    hiring: {clauses: [A1]}
  customer:
    ads: {clauses: [A2]}
    hiring.contact: {clauses: [A3]}
  alumnus:
    ads: {clauses: [A4]}
    hiring: {clauses: [A5]}
prohibitions:
  - {category: alumnus, purpose: ads.mail, clauses: [A6]}
recipients: {}
...
"""

COMPILED = parse_policy(POLICY)

GRANTS = {"candidate": {"hiring", "hiring.selection", "hiring.contact"}, "customer": {"ads"}}
"""The same for a naive guard, as far as the attacks need it."""


def new_guard(**options):
    """Return a guard for the small policy."""
    return Guard(COMPILED, **options)


def attack(*ways, naive=NaiveGuard, gives=DATA):
    """Make a test of an attack, run once on purposeguard and once on a naive guard.

    An attack takes a guard, and one of its `ways` where there are some, and returns what it got.
    Purposeguard must deny it, with a record of the denial, or refuse it where it is defined. The
    naive guard must give the data away: else the test could not fail.
    """

    def decorate(attempt):
        def run(guard, way):
            got = attempt(guard, way) if ways else attempt(guard)
            return asyncio.run(got) if inspect.iscoroutine(got) else got

        def test(kind, way):
            if kind == "naive":
                assert contextvars.copy_context().run(run, naive(GRANTS), way) == gives
                return
            guard = new_guard()
            with capture(guard) as accesses, pytest.raises(PurposeGuardError) as denied:
                contextvars.copy_context().run(run, guard, way)
            if isinstance(denied.value, AccessDeniedError):
                assert denied.value.decision in [access.decision for access in accesses.denied]
            else:
                assert ": " in str(denied.value), "a refusal says the fix"

        test.__name__ = attempt.__name__
        test.__doc__ = attempt.__doc__
        test.__module__ = attempt.__module__
        test = pytest.mark.parametrize("way", ways or [None], ids=_name_of)(test)
        return pytest.mark.parametrize("kind", ["purposeguard", "naive"])(test)

    return decorate


def _name_of(way):
    return "" if way is None else getattr(way, "__name__", str(way))


def loader(guard):
    """Return a guarded function that hands out the data."""

    @guard.access("candidate")
    def load():
        return DATA

    return load


def reason_of(call):
    """Return the reason for which a call is denied, or None where it gets through."""
    try:
        call()
    except AccessDeniedError as denied:
        return str(denied.decision.reason)
    return None


def python(code, *flags):
    """Run a program in a process of its own, which can import from here; return what it said."""
    here = Path(__file__).parent
    paths = os.pathsep.join([str(here), str(here.parent), *filter(None, sys.path)])
    done = subprocess.run(
        [sys.executable, *flags, "-c", code],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def collected():
    """Collect garbage for good, with what finalizers leave behind."""
    for _ in range(3):
        gc.collect()


SHARED = new_guard()
"""A guard that a spawned process makes again, under the same name."""


@SHARED.access("candidate")
def shared_load():
    """Hand out the data."""
    return DATA


def reason_in_another_process():
    """Return the reason for which this process is denied."""
    return reason_of(shared_load)
