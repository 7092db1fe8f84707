"""Group commit: threads that wait for the disk share a sync.

Whoever finds nobody syncing does it for all that have written by then. When it is done it wakes
those it has done it for, all at once, and one of the others to go on. Handing a lock from one to
the next would cost each of them a switch of threads.
"""

import threading
from collections.abc import Callable

from purposeguard.evidence.ledger.segment import BufferedSegment

_PATIENCE = 5
"""Seconds after which one who waits goes on alone: an interrupt may have ended its waker."""


class UnsyncedError(Exception):
    """A segment could not be synced, or was given up before. Its text is the cause, in a word."""


class _Place:
    """One who waits."""

    __slots__ = ("gate", "leads", "segment", "size")

    def __init__(self, segment: BufferedSegment, size: int) -> None:
        self.segment = segment
        self.size = size
        self.leads = False
        self.gate = threading.Lock()
        self.gate.acquire()

    @property
    def over(self) -> bool:
        return self.segment.failed is not None or self.segment.synced >= self.size


class GroupCommit:
    """Syncs segments for those who wait, one sync at a time.

    `sync` syncs a segment: it leaves `failed` on it where that fails. `between` is called while no
    sync is under way.
    """

    def __init__(
        self, sync: Callable[[BufferedSegment], None], between: Callable[[], None]
    ) -> None:
        self._sync = sync
        self._between = between
        self._lock = threading.Lock()
        self._leading = False
        self._waiting: list[_Place] = []

    def wait(self, segment: BufferedSegment, size: int) -> None:
        """Wait until so many bytes of a segment are on disk. Raises UnsyncedError."""
        place = _Place(segment, size)
        try:
            with self._lock:
                if not self._leading:
                    self._leading = place.leads = True
                elif not place.over:
                    self._waiting.append(place)
            if not (place.leads or place.over) and not place.gate.acquire(timeout=_PATIENCE):
                self._drop(place)
                place.leads = True
            # A sync that failed once may succeed the next time, and says nothing then.
            if place.leads and not place.over:
                self._sync(segment)
        except BaseException:
            self._drop(place)
            raise
        finally:
            if place.leads:
                try:
                    self._hand_over()
                except BaseException:  # an interrupt: somebody has to go on all the same
                    self._hand_over()
                    raise
        return self._judge(segment)

    def _judge(self, segment: BufferedSegment) -> None:
        if segment.failed is not None:
            raise UnsyncedError(segment.failed)

    def _hand_over(self) -> None:
        self._between()
        with self._lock:
            over = [place for place in self._waiting if place.over]
            self._waiting = [place for place in self._waiting if not place.over]
            if self._waiting:
                next_one = self._waiting.pop(0)
                next_one.leads = True
                over.insert(0, next_one)
            else:
                self._leading = False
            for place in over:
                place.gate.release()

    def _drop(self, place: _Place) -> None:
        """Wait no longer. Whoever was to lead by then still has to."""
        with self._lock:
            if place in self._waiting:
                self._waiting.remove(place)

    def pause(self) -> None:
        """Have `between` called if no sync is under way; else it will be after it."""
        with self._lock:
            if self._leading:
                return
            self._leading = True
        self._hand_over()
