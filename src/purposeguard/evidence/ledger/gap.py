"""Accesses that have no record, until a line of the ledger tells of them."""

import time
from typing import NamedTuple

from purposeguard.evidence.ledger.lines import members, stamp


class Gap(NamedTuple):
    """Records lost, accesses refused without a word of each, since when, and why at first."""

    lost: int = 0
    refused: int = 0
    since: str = ""
    cause: str = ""

    def __bool__(self) -> bool:
        return bool(self.lost or self.refused)

    def text(self) -> str:
        """Return it as members of a line."""
        return members(
            {"count": self.lost, "refused": self.refused, "since": self.since, "cause": self.cause}
        )


NO_GAP = Gap()


class Missing:
    """The gap that no line tells of yet."""

    __slots__ = ("_cause", "_lost", "_refused", "_since")

    def __init__(self) -> None:
        self._lost = self._refused = 0
        self._since = self._cause = ""

    def __bool__(self) -> bool:
        return bool(self._lost or self._refused)

    def lose(self, count: int, cause: str) -> None:
        """Count accesses that have no record and were not refused for that."""
        self._begin(cause)
        self._lost += count

    def refuse(self, cause: str) -> None:
        """Count an access that was refused, and of which nothing else tells."""
        self._begin(cause)
        self._refused += 1

    def _begin(self, cause: str) -> None:
        if not self:
            self._since, self._cause = stamp(time.time_ns()), cause

    def gap(self) -> Gap:
        """Return what is missing by now."""
        return Gap(self._lost, self._refused, self._since, self._cause)

    def told(self, gap: Gap) -> None:
        """Take off what a line tells of. A signal handler may have counted one more meanwhile."""
        # In one step: an interrupt between two would leave a part of it told twice, or never.
        self._lost, self._refused = self._lost - gap.lost, self._refused - gap.refused

    def untold(self, gap: Gap) -> None:
        """Take back that it was told: the line that said so isn't there for sure."""
        if gap:
            self._lost += gap.lost
            self._refused += gap.refused
            self._since, self._cause = gap.since, gap.cause
