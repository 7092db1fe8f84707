"""The head of a chain that is being written: the last line, and what of it is sure."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

from purposeguard.evidence.ledger.keys import ChainKey
from purposeguard.evidence.ledger.lines import END, MAC_MARK, SUFFIX, stamp
from purposeguard.evidence.ledger.segment import Segment


class Standing(NamedTuple):
    """Where a chain stands: what the next segment goes on from."""

    segment: str
    seq: int
    mac: bytes

    def as_previous(self) -> dict[str, object]:
        """Return it as the first line of a segment has it."""
        return {"segment": self.segment, "seq": self.seq, "mac": self.mac.hex()}


class Mark(NamedTuple):
    """Everything about a head, to go back to."""

    seq: int
    mac: bytes
    kept: Standing | None
    synced: int


class Head:
    """Writes lines, each chained to the one before."""

    __slots__ = ("_link", "kept", "mac", "seq", "synced")

    def __init__(self, key: ChainKey, journal: str) -> None:
        self._link: Callable[[], Any] = key.start
        self.seq = 0
        self.mac = key.first(journal)
        self.kept: Standing | None = None
        """Where the chain stands for good: under durability `power`, as far as it is on disk."""
        self.synced = 0
        """The last line known to be on disk, which the next ones say."""

    def write(self, segment: Segment, kind: str, rest: str, now: int | None = None) -> None:
        """Write the next line. Raises OSError."""
        time_text = stamp(now or time.time_ns())
        seq = self.seq + 1
        synced = f',"synced":{self.synced}' if self.synced else ""
        body = f'{{"seq":{seq},"kind":"{kind}","time":"{time_text}"{rest}{synced}'.encode()
        hashed = self._link()
        hashed.update(self.mac + body)
        mac = hashed.digest()
        segment.write(body + MAC_MARK + mac.hex().encode() + END)
        self.seq = seq
        self.mac = mac

    def standing(self, segment: Segment) -> Standing:
        """Return where the chain stands, in a segment."""
        return Standing(segment.path.name.removesuffix(SUFFIX), self.seq, self.mac)

    def keep(self, standing: Standing, *, synced: bool) -> None:
        """Remember a standing as one that stays."""
        self.kept = standing
        self.synced = standing.seq if synced else 0

    def go_back(self) -> None:
        """Forget the lines behind what is kept: if they are in a file, nobody relies on them."""
        if self.kept is not None:
            self.seq, self.mac = self.kept.seq, self.kept.mac

    def mark(self) -> Mark:
        """Return all that `reset` needs."""
        return Mark(self.seq, self.mac, self.kept, self.synced)

    def reset(self, mark: Mark) -> None:
        """Be as at the mark: what was written since is in a file that counts for nothing."""
        self.seq, self.mac, self.kept, self.synced = mark
