"""Checked, never run: the public API as it is meant to be used, with the types that it gives."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import assert_type
from uuid import UUID

from purposeguard import (
    Access,
    AccessDeniedError,
    AccessRecord,
    Decision,
    Guard,
    Outcome,
    Policy,
    PolicyError,
    Reason,
    UnknownNameError,
    bundled_policy,
    load_policy,
)
from purposeguard.policy.problems import Problem
from purposeguard.testing import capture, under


class Word(StrEnum):
    CANDIDATE = "candidate"
    NAME = "name"


assert_type(load_policy("policy.yaml"), Policy)
assert_type(load_policy(Path("policy.yaml"), max_bytes=1, max_nodes=2), Policy)
assert_type(bundled_policy("smarthr"), Policy)

guard = Guard()
Guard(bundled_policy("smarthr"), mode="observe", modes={"candidate:*": "enforce"})
Guard("policy.yaml", subject_key=b"0" * 16, actor=lambda: 7, service="hr")
Guard(Path("policy.yaml"))
guard.load("policy.yaml", mode="enforce")
guard.load(bundled_policy("smarthr"))

guard.access(Word.CANDIDATE, items=[Word.NAME, "contact"], purpose="recruitment")
guard.access("candidate", items=("name",), operation="collect", source="entered")
guard.access("candidate", items={"name"}, recipient="group_company")
guard.access("candidate", items=frozenset({"name"}))


@guard.access("candidate", subject="candidate_id", customer=lambda bound: bound.arguments["tenant"])
def by_parameter(candidate_id: int, tenant: str) -> int:
    return candidate_id


def chosen(bound: inspect.BoundArguments) -> list[int]:
    return [bound.arguments["candidate_id"]]


@guard.purpose("recruitment", root=True, subject=chosen)
def by_callable(candidate_id: int) -> int:
    return candidate_id


assert_type(by_parameter(7, "acme"), int)
assert_type(by_callable(candidate_id=7), int)

with guard.access("candidate", subject=7, customer="acme") as decision:
    assert_type(decision, Decision)
    assert_type(decision.outcome, Outcome)
    assert_type(decision.reason, Reason)
    assert_type(decision.clauses, tuple[str, ...])
    assert_type(decision.policy_digest, str)
    assert_type(decision.allowed_purposes, tuple[str, ...])
    assert_type(decision.explain(), str)
    assert_type(decision.permitted, bool)

with guard.purpose("recruitment", subject=[1, 2], customer={UUID(int=7), "acme"}) as nothing:
    assert_type(nothing, None)

with guard.purpose("recruitment"), guard.access("candidate", purpose="recruitment") as inner:
    assert_type(inner, Decision)


async def main() -> str:
    async with guard.access("candidate") as later, guard.purpose("recruitment"):
        assert_type(later, Decision)
    return "done"


async def handed_over() -> None:
    assert_type(await guard.carry(main)(), str)
    assert_type(await guard.carry(main()), str)


assert_type(guard.check("candidate", items=["name"], subject=(7, "8")), Decision)
assert_type(guard.decide(Access("candidate", purposes=("recruitment",))), Decision)
assert_type(guard.granted_items("candidate"), tuple[str, ...])
assert_type(guard.policy, Policy | None)
assert_type(guard.health().faults, Mapping[str, int])
assert_type(guard.health().policy_digest, str | None)
for unguarded in guard.find_unguarded():
    assert_type(unguarded.place, str)
with guard.watch(5):
    pass

try:
    by_callable(7)
except AccessDeniedError as denial:
    assert_type(denial.decision, Decision)
except UnknownNameError as unknown:
    assert_type(unknown.name, str)
    assert_type(unknown.suggestion, str | None)
except PolicyError as bad:
    assert_type(bad.problems, tuple[Problem, ...])

with capture(guard) as records:
    assert_type(records[0], AccessRecord)
    assert_type(records.denied, list[AccessRecord])
    assert_type(records.pairs(), set[tuple[str, str | None]])
with under(guard, mode="observe") as same:
    assert_type(same, Guard)
