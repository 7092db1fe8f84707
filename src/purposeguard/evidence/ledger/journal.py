"""What one process writes into a ledger, from any of its threads."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from purposeguard.evidence.ledger.checkpoints import Checkpoint
from purposeguard.evidence.ledger.figures import Figures
from purposeguard.evidence.ledger.gap import NO_GAP
from purposeguard.evidence.ledger.group_commit import GroupCommit, UnsyncedError
from purposeguard.evidence.ledger.segment import BufferedSegment, DamagedError, Segment
from purposeguard.evidence.ledger.segments import News, Segments, Settings, cause_of
from purposeguard.interrupts import raised_by_a_signal
from purposeguard.policy.decide import Decision

_LOOK = 50_000_000
"""Nanoseconds between two looks at whether the file is still the file."""


class UnrecordedError(Exception):
    """A record could not be written. Its text is the cause, in a word."""


class Ticket(NamedTuple):
    """A record that has to get to disk: what it needs there, and what to do if it doesn't."""

    segment: BufferedSegment
    size: int
    rest: str | None
    """What is recorded of an access, or None for a line of another kind."""
    must: bool
    goes_on: bool


class Journal:
    """Writes records in order, whoever makes them, and has them synced for all who wait.

    `_lock` guards everything but syncing.
    """

    def __init__(self, settings: Settings, figures: Figures, rouse: Callable[[], None]) -> None:
        self._settings = settings
        self._rouse = rouse
        self._figures = figures
        self.news: deque[News] = deque()
        """What has not been told yet."""
        self.begin_anew()

    def begin_anew(self) -> None:
        """Be the journal of this process, with nothing written yet: in a forked child, too."""
        self._lock = threading.RLock()
        self._flushing = threading.Lock()
        """Held while lines go to disk, so that they do so in order. Taken before `_lock`."""
        self._syncing: set[int] = set()
        """Threads that are on their way to or from the disk."""
        self._commits = GroupCommit(self._flush, self._close_retired)
        self._busy = False
        self._segments = Segments(self._settings, self._figures, self.news)
        self._look_at = 0
        self._idle = True
        """Whether the keeper sleeps until it is roused."""

    def hold(self, seconds: float) -> bool:
        """Keep all others from writing, for a fork. False where that takes too long."""
        return self._lock.acquire(timeout=seconds)

    def let_go(self) -> None:
        """Let them go on."""
        self._lock.release()

    def leave_to_parent(self) -> None:
        """In a forked child: close what the parent has open."""
        self._segments.leave_to_parent()

    def make_reserve(self) -> None:
        """Have a reserve before it is needed. Raises OSError."""
        with self._lock:
            self._segments.make_reserve()

    # Records

    def access(
        self, text: str, who: str, decision: Decision, *, must: bool, goes_on: bool
    ) -> Ticket | None:
        """Write the record of an access; under durability `power` return what must be on disk.

        `must` says that the access is refused without a record: then this raises UnrecordedError.
        `goes_on` says whether data is released; without a record it is counted as lost.
        """
        with self._lock:
            if self._busy or (self._syncing and threading.get_ident() in self._syncing):
                # This thread is writing: a signal handler or finalizer got in between.
                self._count("interrupted", must=must, goes_on=goes_on)
                return None
            self._busy = True
            try:
                now = time.time_ns()
                segment = self._segments.current
                if segment is None or now >= self._look_at:
                    segment = self._ready(now)
                    now = time.time_ns()  # behind the lines that begin a segment
                segments = self._segments
                if decision.policy_digest not in segments.policies:
                    segments.write_policy(segment, decision)
                segments.head.write(segment, "access", f"{who}{text}", now)
                if isinstance(segment, BufferedSegment):
                    segments.waiting += 1
                    return Ticket(segment, segment.size, who + text, must, goes_on)
                if segment.size >= self._settings.segment_bytes:
                    segments.rotate(segment)
                segments.records += 1
                self._figures.written += 1
            except Exception as error:
                if raised_by_a_signal(error):
                    self._segments.give_up("interrupted")
                    raise
                cause = cause_of(error)
                self._segments.give_up(cause, wait=not isinstance(error, DamagedError))
                self._elsewhere(who + text, cause, must=must, goes_on=goes_on)
            except BaseException:
                self._segments.give_up("interrupted")
                raise
            finally:
                self._busy = False
        return None

    def note(self, kind: str, rest: str) -> Ticket | None:
        """Write a line of another kind; under `power` return what must be on disk.

        Raises UnrecordedError where it can't be written. It is no record: nothing is counted.
        """
        with self._lock:
            if self._busy or (self._syncing and threading.get_ident() in self._syncing):
                raise UnrecordedError("interrupted")
            self._busy = True
            try:
                now = time.time_ns()
                segment = self._ready(now)
                self._segments.head.write(segment, kind, rest, now)
                if isinstance(segment, BufferedSegment):
                    return Ticket(segment, segment.size, None, must=True, goes_on=True)
            except Exception as error:
                if raised_by_a_signal(error):
                    self._segments.give_up("interrupted")
                    raise
                cause = cause_of(error)
                self._segments.give_up(cause, wait=not isinstance(error, DamagedError))
                raise UnrecordedError(cause) from None
            except BaseException:
                self._segments.give_up("interrupted")
                raise
            finally:
                self._busy = False
        return None

    def _ready(self, now: int) -> Segment:
        """Return a segment that can be written to. Raises OSError."""
        self._look_at = now + _LOOK
        if self._segments.process != os.getpid() and not self._segments.closed:
            self.leave_to_parent()  # forked without Python's hooks
            self.begin_anew()
            self._busy = True
        if self._idle:
            self._idle = False
            self._rouse()
        segments = self._segments
        if segments.current is not None:
            try:
                segments.look(segments.current)
            except DamagedError as error:
                segments.give_up(cause_of(error))
        return segments.current or segments.begin(now)

    def _elsewhere(self, rest: str, cause: str, *, must: bool, goes_on: bool) -> None:
        """Keep in the reserve that an access was refused; others are counted as lost."""
        if not goes_on and self._segments.into_the_reserve("access", rest):
            self._figures.written += 1
        else:
            kept = must and goes_on and self._segments.into_the_reserve("refused", rest)
            self._count(cause, must=must, goes_on=goes_on, kept=kept)

    def _count(self, cause: str, *, must: bool, goes_on: bool, kept: bool = False) -> None:
        """Count an access that has no record. Raises UnrecordedError where it must have one."""
        missing = self._segments.missing
        if must and goes_on:
            self._figures.refused += 1
            if not kept:
                missing.refuse(cause)
            raise UnrecordedError(cause)
        missing.lose(1, cause)
        self._figures.lost += 1

    # Syncing

    def commit(self, ticket: Ticket) -> None:
        """Wait until a record is on disk, with all that were written meanwhile.

        Where that fails it is not tried again, and this raises UnrecordedError if the access must
        have a record.
        """
        me = threading.get_ident()
        try:
            self._syncing.add(me)
            self._commits.wait(ticket.segment, ticket.size)
        except UnsyncedError as error:
            if ticket.segment.synced >= ticket.size:  # it failed later
                return
            if ticket.rest is None:
                raise UnrecordedError(str(error)) from None
            with self._lock:
                self._elsewhere(ticket.rest, str(error), must=ticket.must, goes_on=ticket.goes_on)
        finally:
            self._syncing.discard(me)

    def _flush(self, segment: BufferedSegment) -> None:
        """Write and sync what waits, or give the segment up. One thread at a time does it."""
        segments = self._segments
        with self._flushing:
            if segment.failed is not None:
                return
            gap = NO_GAP
            try:
                with self._lock:
                    if segments.current is segment:
                        gap = segments.tell_gap(segment)
                    lines, standing = segment.take(), segments.head.standing(segment)
                    records, segments.waiting = segments.waiting, 0
                segment.flush(lines)
                with self._lock:
                    segments.flushed(segment, standing, records)
                    gap = NO_GAP
                    if segments.current is segment and self._full(segment):
                        self._rotate(segment)
            except BaseException as error:
                cause = cause_of(error)
                with self._lock:
                    if segments.current is segment:
                        wait = isinstance(error, OSError) and not isinstance(error, DamagedError)
                        segments.give_up(cause, wait=wait)
                    segment.failed = segment.failed or cause
                    segments.missing.untold(gap)
                if not isinstance(error, Exception):
                    raise

    def _full(self, segment: Segment) -> bool:
        return segment.size >= self._settings.segment_bytes and not self._busy

    def _rotate(self, full: BufferedSegment) -> None:
        """End a segment that has grown large, with the lines that came while it was flushed."""
        self._busy = True
        try:
            self._segments.rotate(full)
        finally:
            self._busy = False

    def _close_retired(self) -> None:
        """Close the segments that are done with, while nobody syncs one."""
        if self._segments.retired:
            with self._flushing, self._lock:
                self._segments.close_retired()

    # What the keeper does, and the end

    def tend(self) -> None:
        """Look whether the file is still the file; try to begin one where it is not."""
        with self._lock:
            segments = self._segments
            if self._busy or segments.process != os.getpid():
                return
            self._busy = True
            try:
                if segments.current is not None:
                    segments.look(segments.current)
                    if not self._settings.power:
                        segments.tell_gap(segments.current)
                elif segments.missing or segments.cause is not None:
                    segments.begin(time.time_ns())
            except OSError as error:
                damaged = isinstance(error, DamagedError)
                segments.give_up(cause_of(error), wait=segments.current is not None and not damaged)
                if damaged:
                    segments.try_again()
            finally:
                self._busy = False
            segment = segments.current
            untold = bool(segments.missing)
        if isinstance(segment, BufferedSegment) and (untold or segments.retired):
            me = threading.get_ident()
            try:
                self._syncing.add(me)
                if untold:
                    self._commits.wait(segment, segment.synced + 1)
                self._commits.pause()
            except UnsyncedError:
                pass  # it is told in the next one
            finally:
                self._syncing.discard(me)

    def rests(self, seen: int) -> bool:
        """Let the keeper sleep until the next write, if there was none since it has seen a line."""
        with self._lock:
            self._idle = self.head == seen
            if self._idle:
                self._look_at = 0  # so that the next write rouses it
            return self._idle

    def checkpoint(self) -> Checkpoint | None:
        """Tell where the chain stands; None where nothing has been written."""
        with self._lock:
            return None if self._busy else self._segments.checkpoint()

    def finish(self) -> bool:
        """Write the closing line, and close. Records that come later fail as `closed`.

        False where this thread is in the middle of a record: a signal handler may not do it.
        """
        me = threading.get_ident()
        with self._lock:
            if self._busy or me in self._syncing:
                return False
            if self._segments.process != os.getpid() or self._segments.closed:
                return True
        try:
            self._syncing.add(me)
            with self._flushing, self._lock:
                self._segments.finish()
        finally:
            self._syncing.discard(me)
        return True

    @property
    def head(self) -> int:
        """The number of the last line."""
        return self._segments.head.seq

    @property
    def untold(self) -> bool:
        """Whether there are lines since the last checkpoint."""
        return self._segments.untold

    @property
    def segment_name(self) -> str | None:
        """The segment that is written to, or None."""
        return self._segments.current_name

    @property
    def failing(self) -> str | None:
        """Why nothing can be written at present, or None."""
        return self._segments.cause

    @property
    def pending(self) -> int:
        """Lines that are written and not known to be on disk, under durability `power`."""
        head = self._segments.head
        return max(0, head.seq - head.synced) if self._settings.power else 0
