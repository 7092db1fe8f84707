"""The segments that one process writes into a ledger, one after the other, under one chain.

Whatever goes wrong with a segment, it is given up for good: nothing is written to it or synced
again, and its file stays as it is. The next segment says why, and where the chain goes on.

Nothing here may be called from two threads at once: `Journal` sees to that.
"""

import errno
import os
import platform
import secrets
import socket
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from purposeguard.evidence.instrumentation import VERSION
from purposeguard.evidence.ledger.checkpoints import Checkpoint
from purposeguard.evidence.ledger.figures import Figures
from purposeguard.evidence.ledger.gap import NO_GAP, Gap, Missing
from purposeguard.evidence.ledger.head import Head, Standing
from purposeguard.evidence.ledger.keys import ChainKey
from purposeguard.evidence.ledger.lines import (
    FORMAT,
    RESERVE_SUFFIX,
    SUFFIX,
    SegmentName,
    members,
    stamp,
)
from purposeguard.evidence.ledger.segment import (
    BufferedSegment,
    DamagedError,
    Reserve,
    Segment,
    sync_directory,
)
from purposeguard.policy.decide import Decision

_REST_OF_LINE = 256
"""More bytes than a line has besides what is given for it."""
_RETRY = 1_000_000_000
"""Nanoseconds between two tries to begin a segment after one that failed."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How a ledger is kept."""

    directory: Path
    key: ChainKey
    required: bool
    power: bool
    segment_bytes: int
    reserve_bytes: int


class News(NamedTuple):
    """Something that an operator should know of a ledger."""

    status: str
    text: str
    attributes: dict[str, str | int]
    trouble: bool = True


class Segments:
    """The segment that is written to, those before it, and the reserve beside it."""

    def __init__(self, settings: Settings, figures: Figures, news: deque[News]) -> None:
        self.settings = settings
        self.process = os.getpid()
        self.name = f"{_name_stamp()}-{self.process}-{secrets.token_hex(4)}"
        self.number = 0
        self.head = Head(settings.key, self.name)
        self.current: Segment | None = None
        self.cause: str | None = None
        """Why nothing can be written at present, or None."""
        self.closed = False
        self.missing = Missing()
        self.retired: list[Segment] = []
        """Those that are done with, and that somebody may still be syncing."""
        self.retry_at = 0
        self.policies: set[str] = set()
        """Digests that the current segment has told in full."""
        self.records = 0
        """Records in the current segment."""
        self.waiting = 0
        """Records that wait for the next sync."""
        self._figures = figures
        self._news = news
        self._sure = 0
        """How many of the records were there at the last look."""
        self._refuge: Reserve | None = None
        self._reserve: Reserve | None = None
        self._told_head: Standing | None = None

    def leave_to_parent(self) -> None:
        """In a forked child: close what the parent has open, so that its locks are its own."""
        for segment in (self.current, self._refuge, self._reserve, *self.retired):
            if segment is not None:
                segment.close()

    def look(self, segment: Segment) -> None:
        """Look whether the file is still the file. Raises DamagedError."""
        segment.look()
        self._sure = self.records

    # From its first line to its last

    def begin(self, now: int) -> Segment:
        """Begin a segment, the first or the one after a failure. Raises OSError."""
        if self.closed:
            raise OSError(None, "closed")
        if now < self.retry_at <= now + _RETRY:  # else the clock was set back
            raise OSError(None, self.cause or "failed")
        name, path = self._next()
        number, mark, gap = self.number, self.head.mark(), NO_GAP
        segment: Segment | None = None
        try:
            segment = BufferedSegment(path) if self.settings.power else Segment(path)
            self._open(segment, name)
            gap = self.tell_gap(segment)
            if isinstance(segment, BufferedSegment):
                segment.flush(segment.take())
                segment.land()
                sync_directory(self.settings.directory)
            self.make_reserve()
            self._leave_the_refuge()
            self._began(segment)
        except BaseException as error:
            self.current, self.number = None, number
            self.head.reset(mark)
            self.missing.untold(gap)
            self._failed_to_begin(segment, path, error)
            if isinstance(error, Exception):
                self.retry_at = now + _RETRY
            raise
        if self.cause is not None:
            self.tell(
                "works_again",
                f"the ledger works again in `{path.name}`: {gap.lost} accesses have no record, "
                f"{gap.refused} more were refused",
                lost=gap.lost,
                refused=gap.refused,
            )
        self.cause = None
        return segment

    def _began(self, segment: Segment) -> None:
        self._keep(segment)
        self.records = self._sure = 0
        self.policies.clear()
        self.retry_at = 0
        self.number += 1
        self.current = segment

    def _next(self) -> tuple[SegmentName, Path]:
        name = SegmentName(self.name, self.number + 1)
        return name, self.settings.directory / f"{name}{SUFFIX}"

    def _failed_to_begin(self, segment: Segment | None, path: Path, error: BaseException) -> None:
        """Take its file away; a name that can't be had free again is not used once more."""
        if segment is not None:
            segment.discard()
        elif not isinstance(error, Exception):
            _drop_empty(path)
        self.number += os.path.lexists(path)

    def _open(self, segment: Segment, name: SegmentName) -> None:
        """Write the first line of a segment."""
        settings, kept = self.settings, self.head.kept
        values: dict[str, object] = {
            "format": FORMAT,
            "segment": str(name),
            "host": socket.gethostname(),
            "process": self.process,
            "python": platform.python_version(),
            "purposeguard": VERSION,
            "durability": "power" if settings.power else "process",
            "required": settings.required,
            "key": settings.key.id,
            "previous": None if kept is None else kept.as_previous(),
        }
        if self.cause is not None:
            values["cause"] = self.cause
        self.head.write(segment, "open", members(values))

    def write_policy(self, segment: Segment, decision: Decision) -> None:
        """Tell in full, once a segment, of the policy that records name in short."""
        digest = decision.policy_digest
        if digest:
            values = {
                "digest": digest,
                "name": decision.policy,
                "version": decision.policy_version,
            }
            self.head.write(segment, "policy", members(values))
        self.policies.add(digest)

    def tell_gap(self, segment: Segment) -> Gap:
        """Write how many records are missing, if any are, and return what was told."""
        gap = self.missing.gap()
        if gap:
            self.head.write(segment, "lost", gap.text())
            self.missing.told(gap)
        return gap

    def rotate(self, full: Segment) -> None:
        """End a segment that has grown large; the next record begins the next one.

        Raises DamagedError where the file is not what was written. What else goes wrong with the
        closing line changes nothing about the records before it.
        """
        self.look(full)
        try:
            self._end(full, "rotated")
        except DamagedError:
            raise
        except OSError as error:
            self.give_up(cause_of(error), wait=True)
            return
        self.current = None
        self.retry_at = 0
        self._retire(full)

    def _end(self, segment: Segment, cause: str) -> None:
        """Write the last line of a segment. Under `power`, only while nobody else flushes it."""
        gap = NO_GAP
        try:
            gap = self.tell_gap(segment)
            if isinstance(segment, BufferedSegment):
                # Apart from the records, so that on disk it vouches for all of them.
                self._flush_all(segment)
            gap = NO_GAP
            self.head.write(segment, "close", members({"cause": cause}))
            if isinstance(segment, BufferedSegment):
                self._flush_all(segment)
            else:
                self._keep(segment)
        except BaseException:
            self.missing.untold(gap)
            raise
        self._checkpoint()

    def _flush_all(self, segment: BufferedSegment) -> None:
        lines = segment.take()
        if lines:
            waiting, self.waiting = self.waiting, 0
            segment.flush(lines)
            self.flushed(segment, self.head.standing(segment), waiting)

    def flushed(self, segment: BufferedSegment, standing: Standing, records: int) -> None:
        """Remember that the lines of a segment, up to where the chain stood, are on disk."""
        if segment.failed is None:
            segment.land()
            self.head.keep(standing, synced=True)
            self.records += records
            self._figures.written += records

    def _keep(self, segment: Segment) -> None:
        self.head.keep(self.head.standing(segment), synced=self.settings.power)

    def _retire(self, segment: Segment) -> None:
        """Close a segment, or leave that to those who may be syncing it."""
        if self.settings.power:
            self.retired.append(segment)
        else:
            segment.close()

    def close_retired(self) -> None:
        """Close those that are done with. Not while somebody syncs one."""
        while self.retired:
            self.retired.pop().close()

    def give_up(self, cause: str, *, wait: bool = False) -> None:
        """Never write to the segment again: what became of the last write is not known.

        `wait` says that the disk may need time: the next segment is begun a while later.
        """
        before, self.cause = self.cause, cause
        segment, self.current = self.current, None
        if segment is None:
            if before is None and not self.closed:
                text = f"the ledger can't begin a segment ({cause}): see to its disk and directory"
                self.tell("gave_up", text, cause=cause)
            return
        segment.failed = cause
        if self.settings.power:
            self.head.go_back()
            self.waiting = 0
        else:
            self._keep(segment)
        self._retire(segment)
        if gone := self._gone(cause):
            self.missing.lose(gone, cause)
            self._figures.lost += gone
        if wait:
            self.retry_at = time.time_ns() + _RETRY
        self.tell(
            "gave_up",
            f"the ledger gave up `{segment.path.name}` ({cause}): see to its disk and directory",
            cause=cause,
        )

    def _gone(self, cause: str) -> int:
        """Return how many records may be gone with the file."""
        if cause in ("vanished", "replaced", "cut off"):
            return self.records
        if cause == "closed by something else":  # what was written since went elsewhere
            return self.records - self._sure
        return 0

    # The reserve

    def make_reserve(self) -> None:
        """Have a reserve, where one is asked for and there is none. Raises OSError."""
        if self._reserve is None and self.settings.reserve_bytes:
            name = f"{self.name}-{secrets.token_hex(4)}{RESERVE_SUFFIX}"
            path = self.settings.directory / name
            self._reserve = Reserve(path, self.settings.reserve_bytes)

    def into_the_reserve(self, kind: str, rest: str) -> bool:
        """Write a line into the room kept for when nothing else can be. False where it can't be."""
        if self.current is not None:
            return False
        mark = self.head.mark()
        try:
            refuge = self._refuge or self._take_refuge()
            if refuge is None or not refuge.fits(len(rest) + _REST_OF_LINE):
                return False
            mark = self.head.mark()
            self.head.write(refuge, kind, rest)
            if self.settings.power:
                refuge.sync()
        except BaseException as error:
            self.head.reset(mark)
            self._leave_the_refuge()
            if isinstance(error, Exception):
                return False
            raise
        self._keep(refuge)
        return True

    def _take_refuge(self) -> Reserve | None:
        """Make the reserve a segment: its first line says why. Raises OSError."""
        reserve, self._reserve = self._reserve, None
        if reserve is None:
            return None
        name, path = self._next()
        try:
            reserve.rename(path)
            self._open(reserve, name)
            if self.settings.power:
                reserve.sync()
                sync_directory(self.settings.directory)
        except BaseException as error:
            self._failed_to_begin(reserve, path, error)
            raise
        self.number += 1
        self._refuge = reserve
        self._keep(reserve)
        return reserve

    def _leave_the_refuge(self) -> None:
        if self._refuge is not None:
            self._retire(self._refuge)
            self._refuge = None

    # What the keeper and the end need

    def try_again(self) -> None:
        """Begin a segment, or say why it can't be."""
        try:
            self.begin(time.time_ns())
        except OSError as error:
            self.give_up(cause_of(error))

    def checkpoint(self) -> Checkpoint | None:
        """Tell where the chain stands; None where nothing has been written."""
        segment = self.current
        if segment is None:
            return None
        try:
            self.look(segment)
        except OSError as error:
            self.give_up(cause_of(error))
            return None
        if not self.settings.power:
            self._keep(segment)
        return self._checkpoint()

    def _checkpoint(self) -> Checkpoint | None:
        kept = self.head.kept
        if kept is None:
            return None
        made = Checkpoint.of(
            self.settings.key,
            segment=kept.segment,
            seq=kept.seq,
            mac=kept.mac.hex(),
            time=stamp(time.time_ns()),
        )
        if kept != self._told_head:
            self._told_head = kept
            self.tell(
                "checkpoint",
                f"checkpoint of the ledger: {made.text()}",
                trouble=False,
                checkpoint=made.text(),
                segment=made.segment,
                seq=made.seq,
                mac=made.mac,
            )
        return made

    @property
    def untold(self) -> bool:
        """Whether there are lines since the last checkpoint."""
        return self._told_head is None or self.head.seq != self._told_head.seq

    def finish(self) -> None:
        """Write the closing line, and close all files."""
        try:
            if not self.closed:
                self._end_last()
        finally:
            self.closed = True
            self.cause = "closed"
            self._leave_the_refuge()
            if self._reserve is not None:
                self._reserve.discard()
                self._reserve = None
            self.close_retired()

    def _end_last(self) -> None:
        """End the segment. What is missing is told in a last one, where there is none."""
        try:
            if self.current is not None:
                self.look(self.current)
        except OSError as error:
            self.give_up(cause_of(error))
        if self.current is None and self.missing:
            self.retry_at = 0
            self.try_again()
        segment = self.current
        if segment is None:
            return
        try:
            self._end(segment, "closed")
        except OSError as error:
            self.give_up(cause_of(error))
        else:
            self.current = None
            self._retire(segment)

    @property
    def current_name(self) -> str | None:
        """The segment that is written to, or None."""
        segment = self.current or self._refuge
        return segment.path.name.removesuffix(SUFFIX) if segment else None

    def tell(self, status: str, text: str, trouble: bool = True, **attributes: Any) -> None:
        """Add to the news."""
        self._news.append(News(status, text, attributes, trouble))


def cause_of(error: BaseException) -> str:
    """Return why something failed, in a word: the name of the error number, else our own word."""
    if not isinstance(error, OSError):
        return "failed" if isinstance(error, Exception) else "interrupted"
    if error.errno is not None:
        return errno.errorcode.get(error.errno, "failed")
    return error.strerror or "failed"


def _drop_empty(path: Path) -> None:
    """Take away the file that an interrupt kept from becoming a segment."""
    try:
        if not path.lstat().st_size:
            path.unlink()
    except OSError:
        pass


def _name_stamp() -> str:
    return stamp(time.time_ns()).replace("-", "").replace(":", "")
