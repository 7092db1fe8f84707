"""A lock that a forked child gets anew: in the parent it may be held by a thread that is gone."""

import os
import threading
import weakref
from types import TracebackType

_locks: "weakref.WeakSet[Lock]" = weakref.WeakSet()


class Lock:
    """A `threading.RLock` for a with-block: a signal handler may do what it has interrupted."""

    __slots__ = ("__weakref__", "_lock")

    def __init__(self) -> None:
        self.renew()
        _locks.add(self)

    def renew(self) -> None:
        """Forget whoever holds it."""
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            self._lock.release()
        except RuntimeError:
            pass  # this child was forked inside the block, and its lock is a new one


def _after_fork() -> None:
    for lock in list(_locks):
        lock.renew()


os.register_at_fork(after_in_child=_after_fork)
