"""Forks: SQLite is to be at rest meanwhile, and a child gets connections of its own.

SQLite keeps locks and the state of open files in the memory of its process. A child that inherits
them while they are in use waits for ever, or believes that it holds locks that only its parent
has. So a fork waits until nobody uses SQLite here, and no file is open then.
"""

import os
import threading
import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Forking(Protocol):
    """What has connections."""

    def rest(self) -> None:
        """Before a fork: have no file open."""
        ...

    def begin_anew(self) -> None:
        """In a forked child: leave the parent's connections alone."""
        ...


class _Gate:
    """Lets everybody in, but waits until nobody else is inside before it lets a fork go on."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._inside: Counter[int] = Counter()
        self._forking: int | None = None

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be inside for a block. Who is inside comes in once more, though a fork waits for it."""
        me = threading.get_ident()
        with self._changed:
            while not self._inside[me] and self._forking not in (None, me):
                self._changed.wait()
            self._inside[me] += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= Counter((me,))  # drops who isn't inside any more
                self._changed.notify_all()

    def close(self) -> None:
        """Wait until nobody else is inside, and let nobody in."""
        me = threading.get_ident()
        with self._changed:
            while self._forking not in (None, me):
                self._changed.wait()
            self._forking = me
            while self._inside.keys() - {me}:  # a signal handler may fork inside
                self._changed.wait()

    def open(self) -> None:
        """Let everybody in again."""
        with self._changed:
            self._forking = None
            self._changed.notify_all()


_gate = _Gate()
_all: "weakref.WeakSet[Forking]" = weakref.WeakSet()


def watch(each: Forking) -> None:
    """Have it told of forks from now on."""
    _all.add(each)


@contextmanager
def using(*, sqlite: bool) -> Iterator[None]:
    """Use a database for a block: with SQLite a fork waits for its end."""
    if not sqlite:
        yield
        return
    with _gate.inside():
        yield


def _before() -> None:
    _gate.close()
    for each in list(_all):
        each.rest()


def _in_parent() -> None:
    _gate.open()  # the one there is now: this process may be a child itself


def _in_child() -> None:
    global _gate  # noqa: PLW0603 - threads that aren't here may hold it
    _gate = _Gate()
    for each in list(_all):
        each.begin_anew()


os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
