"""Random programs under observe: nothing raises, and what is decided is what enforce decides."""

from collections import Counter
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from scope_model import POLICY
from scope_programs import Records, Run, programs, some
from scope_world import Tools

from effort import effort
from purposeguard.hub import Hub
from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.matrix import compile_document

pytestmark = pytest.mark.once

PARTS = 4
PROGRAMS = effort(quick=200, ci=4_000, full=100_000)


@cache
def tools(enforce, traced):
    """Return a guard with what it has decorated, the same one each time."""
    return Tools(enforce=enforce, traced=traced)


def compared(record):
    """Return a record without what differs between two runs of one program."""
    return replace(record, time=None, mode="", trace_id=None, span_id=None)


class Compared(NamedTuple):
    """One program under both modes."""

    enforced: str | None
    """The first error of the guard's own under enforce."""
    observed: list[Any]
    """The guard's own errors under observe."""
    alike: bool
    """Whether the records up to that first error are the same."""


def both_ways(program, traced=False):
    """Run a program under enforce up to the move that raises, and all of it under observe."""
    enforced, observed = Records(), Records()
    enforcing = Run(program, tools(True, traced), enforced)
    for _ in enforcing:
        if enforcing.raised:
            break
    first, many = enforcing.raised[0] if enforcing.raised else (None, len(enforced))
    observing = Run(program, tools(False, traced), observed)
    for _ in observing:
        if observing.raised:
            break
    before, after = ([compared(each) for each in all_[:many]] for all_ in (enforced, observed))
    return Compared(first, observing.raised, before == after)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_what_raises_under_enforce_raises_nothing_under_observe(part):
    """No program raises, and its decisions are those of enforce up to the first that raised."""

    @seed(part)
    @settings(
        max_examples=-(-PROGRAMS // PARTS),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs, st.booleans())
    def compare(program, traced):
        run = both_ways(program, traced)
        assert run.observed == []
        assert run.alike

    compare()


def test_the_programs_raise_everything_under_enforce():
    """Most programs are denied somewhere, and every other error is met as well."""
    first = Counter(both_ways(program).enforced for program in some(200))
    assert first.total() - first[None] > 150
    assert {"OutOfPurposeError", "UndecidedAccessError", "ScopeError", "UnknownNameError"} <= {
        *first
    }


def test_an_observer_that_raises_is_found_out(monkeypatch):
    """The comparison can fail: refused scopes that raise are seen."""
    monkeypatch.setattr(Hub, "observes", False)
    assert any(both_ways(program).observed for program in some(100))


def test_an_observer_that_decides_otherwise_is_found_out(monkeypatch):
    """The comparison can fail: an observer under another policy is seen."""
    wider = {**POLICY, "prohibitions": []}
    matrix, _ = compile_document(PolicyDocument.model_validate(wider))
    observing = Tools(enforce=False, traced=False)
    observing.guard.load(matrix)
    enforcing = Tools(enforce=True, traced=False)
    pair = {True: enforcing, False: observing}
    monkeypatch.setitem(globals(), "tools", lambda enforce, traced: pair[enforce])
    assert not all(both_ways(program).alike for program in some(100))
