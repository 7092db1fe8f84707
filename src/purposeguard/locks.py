"""A lock that a forked child gets anew: in the parent it may be held by a thread that is gone."""

import os
import threading
import weakref
from types import TracebackType

_locks: "weakref.WeakSet[Lock]" = weakref.WeakSet()


class Lock:
    """A `threading.Lock` for a with-block."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self.renew()
        _locks.add(self)

    def renew(self) -> None:
        """Forget whoever holds it."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()


def _after_fork() -> None:
    for lock in list(_locks):
        lock.renew()


os.register_at_fork(after_in_child=_after_fork)
