"""The record of one access, and what an outlet for records has to be."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from purposeguard.policy.decide import Decision


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """What is kept of one access: names of data and keyed hashes, never data."""

    time: datetime
    """When it was decided, aware, UTC."""
    decision: Decision
    mode: str
    """`enforce` or `observe`: what a denial did to the call."""
    chain: tuple[str, ...]
    """The purposes declared on the chain, outermost first; those in force are the decision's."""
    root: bool
    """Whether a scope on the chain began a new chain."""
    carried: bool
    """Whether a purpose on the chain was handed over by `guard.carry`."""
    issuer: str | None
    """The service whose signed token purposes on the chain came from, or None."""
    function: str
    """The guarded function's qualified name, or that of the function around the block."""
    file: str
    line: int
    service: str | None
    host: str
    process: int
    trace_id: str | None
    """32 hex digits, or None without a trace."""
    span_id: str | None
    subjects: tuple[str, ...] = ()
    """Keyed hashes of the people whose data it is."""
    customers: tuple[str, ...] = ()
    actor: str | None = None
    """Keyed hash of who acted."""
    key_id: str | None = None
    """Which key the hashes were made with."""
    refused: bool = False
    """Whether it was refused though permitted: a ledger that is required could not record it."""
    ground_id: str | None = None
    """The id of the ground that was stated, as the ledger has its start and end."""

    @property
    def policy_version(self) -> str | None:
        """The version of the policy that it was judged by."""
        return self.decision.policy_version

    @property
    def category(self) -> str:
        """The category whose data was touched."""
        return self.decision.category

    @property
    def items(self) -> tuple[str, ...] | None:
        """The items that were asked for, or None for all."""
        return self.decision.items

    @property
    def clauses(self) -> tuple[str, ...]:
        """The clauses behind the answer."""
        return self.decision.clauses

    @property
    def outcome(self) -> str:
        """`permit`, `violation` or `gap`."""
        return self.decision.outcome

    @property
    def reason(self) -> str:
        """The reason code."""
        return self.decision.reason

    @property
    def purpose(self) -> str | None:
        """The purpose that gave the reason, else the innermost one."""
        return self.decision.purpose


class Outlet(Protocol):
    """Where records go besides telemetry.

    `record` is called after the decision and before the data is released or the denial is raised.
    What it raises is counted and changes nothing.
    """

    def record(self, record: AccessRecord, /) -> None:
        """Take one record."""
