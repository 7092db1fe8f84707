"""Counts of what failed in the evidence itself, so that no fault goes unseen."""

import itertools
from collections.abc import Iterator, Mapping

from purposeguard.locks import Lock


class Count:
    """A counter that threads may advance without a lock: one C call, atomic under the GIL."""

    __slots__ = ("_looks", "add")

    def __init__(self) -> None:
        ticks = itertools.count()
        self.add = ticks.__next__
        self._looks = 0

    def read(self) -> int:
        """Return how often `add` was called. One reader at a time."""
        value = self.add() - self._looks
        self._looks += 1
        return value


class Faults(Mapping[str, int]):
    """How often each outlet failed since the guard was made."""

    def __init__(self) -> None:
        self._counts: dict[str, Count] = {}
        self._reading = Lock()

    def add(self, outlet: str) -> None:
        """Count one fault of an outlet."""
        self._counts.setdefault(outlet, Count()).add()

    def __getitem__(self, outlet: str) -> int:
        with self._reading:
            return self._counts[outlet].read()

    def __iter__(self) -> Iterator[str]:
        return iter(tuple(self._counts))

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return repr(dict(self))
