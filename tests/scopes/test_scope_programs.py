"""Random programs over threads, tasks, generators, shared scopes, forks and early exits."""

import threading
from functools import cache

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from opentelemetry.context import attach, get_current
from scope_programs import Records, Run, programs, some
from scope_world import Tools

from effort import effort
from purposeguard import blocks, points, scope, stretch
from purposeguard.policy.reasons import RANK

pytestmark = pytest.mark.once

PARTS = 4
PROGRAMS = effort(quick=200, ci=10_000, full=100_000)
NAIVE_PROGRAMS = 400

WAYS = st.tuples(st.booleans(), st.booleans(), st.booleans())
"""Enforced or observed, traced or not, recorded or by the shortest way."""


@cache
def tools(enforce, traced):
    """Return a guard with what it has decorated, the same one each time."""
    return Tools(enforce=enforce, traced=traced)


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_no_program_leaks_widens_or_revives_a_purpose(part):
    """Every access of every program comes to what the model says, and so does every record."""

    @seed(part)
    @settings(
        max_examples=-(-PROGRAMS // PARTS),
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(programs, WAYS)
    def compare(program, ways):
        enforce, traced, recorded = ways
        run = Run(program, tools(enforce, traced), Records() if recorded else None)
        for step in run:
            assert step.observed == step.expected, step.move

    compare()
    assert get_current() == {}


def test_the_programs_meet_everything():
    """Every move is made, and every reason and error of scopes is met."""
    seen = set()
    for number, program in enumerate(some(400)):
        for step in Run(program, tools(number % 2 == 0, False), Records()):
            seen.update(step.words())
    assert {
        "went through", "granted", "purpose_undeclared", "purpose_closed", "purpose_unknown",
        "not_granted", "item_excess", "prohibited", "category_unknown", "check_failed",
        "ScopeError", "UnknownNameError", "boom", "cancelled", "result", "over", "fork",
        "probe", "enter", "leave", "copy", "fresh", "call_stepped", "step", "end", "start",
        "finish", "carry", "call_carried", "nest",
    } <= seen  # fmt: skip


class ThreadLocal(threading.local):
    """What is current in a thread, whatever task or context runs there."""

    context = get_current()

    def attach(self, context):
        before, self.context = self.context, context
        return before

    def detach(self, before):
        self.context = before


def a_stack_of_each_thread(patch):
    """Keep the chain in a thread-local."""
    local = ThreadLocal()
    for module in (blocks, stretch, scope):
        for name, put in (
            ("get_current", lambda: local.context),
            ("attach", local.attach),
            ("detach", local.detach),
        ):
            patch.setattr(module, name, put, raising=False)


def tokens_restored_blindly(patch):
    """Restore on leaving what was there on entering, kept on the scope object."""
    push, leave = scope.Chain.push, blocks.PurposeScope.__exit__
    kept = {}

    def entering(self, lease, *given, **more):
        kept.setdefault(lease.opener, []).append(get_current())
        return push(self, lease, *given, **more)

    def leaving(self, *error):
        leave(self, *error)
        if kept.get(self):
            attach(kept[self].pop())

    patch.setattr(scope.Chain, "push", entering)
    patch.setattr(blocks.PurposeScope, "__exit__", leaving)


def the_union(patch):
    """Permit what any of the purposes permits."""
    decide = points.decide

    def best(policy, access, *evidence):
        single = [replaced(access, purpose) for purpose in access.purposes] or [access]
        answers = [decide(policy, each, *evidence) for each in single]
        return max(answers, key=lambda answer: RANK[answer.reason])

    patch.setattr(points, "decide", best)


def replaced(access, purpose):
    """Return the access under one purpose alone."""
    return points.Access(access.category, purposes=(purpose,), closed=access.closed)


def leaving_only_here(patch):
    """Leave alone what a scope object has open in other contexts."""
    found = scope.Opener.found

    def here(self, chain):
        before = self.epoch
        answer = found(self, chain)
        self.epoch = before
        return answer

    patch.setattr(scope.Opener, "found", here)


def judged_at_the_call(patch):
    """Judge a generator once, at its call."""

    def resume(self):
        if self.answer is None:
            self.answer = self._judge(self.chain)
        self.make_current()
        return True

    patch.setattr(stretch.Stretch, "resume", resume)


def setting(owner, name, value):
    """Return a patch of one attribute."""
    return lambda patch: patch.setattr(owner, name, value)


NAIVE = {
    "a lease that does not die": setting(scope.Lease, "end", lambda self: None),
    "a token restored blindly": tokens_restored_blindly,
    "the union of nested purposes": the_union,
    "a stack of each thread": a_stack_of_each_thread,
    "a lease that lives on in a fork": setting(scope, "_Process", lambda: scope._here),
    "an object left in another context": leaving_only_here,
    "a generator judged at its call only": judged_at_the_call,
    "a generator that forgets its consumer": setting(
        stretch.Stretch, "_combined", lambda self, consumer: self.chain
    ),
    "a coroutine not looked at again": setting(
        stretch.Stretch, "settle", lambda self: self.leave()
    ),
    "carried leases that stay": setting(stretch.CarriedStretch, "finish", lambda self: None),
    "a carried call that forgets its runner": setting(
        scope.Chain,
        "renewed",
        lambda self, *given, renewed=scope.Chain.renewed: renewed(scope.EMPTY, *given),
    ),
    "a root that hides nothing": setting(
        scope.Chain,
        "push",
        lambda self, lease, root=False, *given, push=scope.Chain.push, **more: push(
            self, lease, False, *given, **more
        ),
    ),
}


@pytest.mark.parametrize("mistake", NAIVE)
def test_a_naive_scope_is_found_out(mistake, monkeypatch):
    """The comparison can fail: each of these common mistakes shows within a quick effort."""
    enforced = Tools(enforce=True, traced=False)
    NAIVE[mistake](monkeypatch)
    assert any(Run(program, enforced).difference() for program in some(NAIVE_PROGRAMS))
