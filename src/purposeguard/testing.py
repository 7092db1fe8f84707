"""For test suites: what happened as a list, and a block under another policy or mode."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace

from purposeguard.evidence.record import AccessRecord
from purposeguard.guard import Guard, modes_for
from purposeguard.points import State
from purposeguard.policy.matrix import Policy
from purposeguard.policy_file import load_policy

__all__ = ["Captured", "capture", "under"]


class Captured(list[AccessRecord]):
    """The records of the accesses in a block, in order."""

    def record(self, record: AccessRecord) -> None:
        """Take one record, as an outlet does."""
        self.append(record)

    @property
    def permitted(self) -> list[AccessRecord]:
        """The accesses that the policy grants, and that a required ledger has recorded."""
        return [record for record in self if record.outcome == "permit" and not record.refused]

    @property
    def denied(self) -> list[AccessRecord]:
        """Violations and gaps, enforced or only observed, and what a ledger refused."""
        return [record for record in self if record.outcome != "permit" or record.refused]

    def pairs(self) -> set[tuple[str, str | None]]:
        """The (category, purpose) pairs that were touched."""
        return {(record.category, record.purpose) for record in self}


@contextlib.contextmanager
def capture(guard: Guard) -> Iterator[Captured]:
    """Collect the records of every access through `guard` while the block is open.

    Accesses of other threads are collected too. Two captures at once both get every record.
    """
    captured = Captured()
    guard._exchange(lambda state: replace(state, outlets=(*state.outlets, captured)))
    try:
        yield captured
    finally:
        guard._exchange(
            lambda state: replace(
                state, outlets=tuple(each for each in state.outlets if each is not captured)
            )
        )


@contextlib.contextmanager
def under(
    guard: Guard,
    *,
    policy: Policy | str | os.PathLike[str] | None = None,
    mode: str | None = None,
    modes: Mapping[str, str] | None = None,
) -> Iterator[Guard]:
    """Run a block with the guard under another policy, mode or patterns of modes, in every thread.

    `policy` is one, or its file. What is left out stays as it is, but a `mode` without `modes` is
    the mode of every access. What was in force before is in force again afterwards. Raises
    PolicyError for a file that can't be used, and UnknownNameError for an unknown mode.
    """
    loaded = policy if policy is None or isinstance(policy, Policy) else load_policy(policy)

    def change(state: State) -> State:
        changed = state.modes
        if mode is not None or modes is not None:
            changed = modes_for(state.modes.default if mode is None else mode, modes)
        return replace(state, policy=loaded or state.policy, modes=changed)

    before = guard._exchange(change)
    try:
        yield guard
    finally:
        guard._exchange(lambda state: replace(state, policy=before.policy, modes=before.modes))
