"""Looking people up: within a time limit, and for a short while from memory."""

import asyncio
import os
import time
import weakref
from collections.abc import Collection, Mapping
from concurrent.futures import Future
from typing import Any, TypeAlias

from purposeguard.interrupts import let_through
from purposeguard.locks import Lock
from purposeguard.subjects.facts import NOTHING, Facts
from purposeguard.subjects.store import SubjectStore
from purposeguard.subjects.threads import Threads

_REMEMBERED = 10_000
"""How many pairs of people are remembered at most."""
_DAY = 86_400
_AT_ONCE = 8
"""Look-ups under way at most; further ones wait, within their time."""

Pair: TypeAlias = tuple[str | None, str | None]
"""The keyed hashes of a subject and a customer, None for a role that nobody fills."""


class UnavailableError(Exception):
    """People could not be looked up in time, or at all."""


class Known:
    """What is on record about a subject and a customer, with the answers that rest on it."""

    __slots__ = ("answers", "customer", "subject", "until")

    def __init__(self, subject: Facts | None, customer: Facts | None, until: float) -> None:
        self.subject = subject
        self.customer = customer
        self.until = until
        self.answers: dict[Any, Any] = {}


class LookUp:
    """Looks people up in one store.

    What `forget` is told of counts from the next look-up on: an answer that was on its way
    meanwhile is not remembered.
    """

    def __init__(self, store: SubjectStore) -> None:
        self.store = store
        self.begin_anew()
        with _lock:
            _all.add(self)

    def begin_anew(self) -> None:
        """Remember nobody, and have no threads: when made, and in a forked child."""
        self._lock = Lock()
        self._known: dict[Pair, Known] = {}
        self._changes = 0
        self._threads = Threads("purposeguard-subjects", _AT_ONCE)
        weakref.finalize(self, self._threads.end).atexit = False

    def remembered(self, pair: Pair) -> Known | None:
        """Return what is known of a pair without a look, or None."""
        known = self._known.get(pair)
        return known if known is not None and known.until > time.monotonic() else None

    def find(self, pairs: Collection[Pair]) -> Mapping[Pair, Known]:
        """Return what is known of each pair, in one look-up. Raises UnavailableError."""
        wanted, start, changes = self._wanted(pairs)
        if not wanted:
            return self._made(pairs, {}, start, changes)
        asked = self._ask(wanted)
        try:
            return self._made(pairs, asked.result(self.store.timeout), start, changes)
        except Exception as error:  # noqa: BLE001 - whatever it is, they could not be looked up
            asked.cancel()
            let_through(error)
            raise UnavailableError from None

    async def find_async(self, pairs: Collection[Pair]) -> Mapping[Pair, Known]:
        """Await what `find` waits for."""
        wanted, start, changes = self._wanted(pairs)
        if not wanted:
            return self._made(pairs, {}, start, changes)
        asked = asyncio.wrap_future(self._ask(wanted))
        try:
            found = await asyncio.wait_for(asked, self.store.timeout)
            return self._made(pairs, found, start, changes)
        except Exception as error:  # noqa: BLE001 - whatever it is, they could not be looked up
            let_through(error)
            raise UnavailableError from None

    def _wanted(self, pairs: Collection[Pair]) -> tuple[set[str], float, int]:
        people = {each for pair in pairs for each in pair if each is not None}
        return people, time.monotonic(), self._changes

    def _ask(self, people: set[str]) -> "Future[Mapping[str, Facts]]":
        try:
            return self._threads.submit(self.store.facts, people)
        except RuntimeError:  # there are too many, or the interpreter is shutting down
            raise UnavailableError from None

    def _made(
        self,
        pairs: Collection[Pair],
        found: Mapping[str, Facts],
        start: float,
        changes: int,
    ) -> Mapping[Pair, Known]:
        # What a day decides is not remembered into the next one.
        left = _DAY - time.time() % _DAY
        until = start + min(self.store.cache_seconds, left)
        made = {pair: Known(_of(found, pair[0]), _of(found, pair[1]), until) for pair in pairs}
        if self.store.cache_seconds > 0:
            with self._lock:
                if self._changes == changes:
                    self._known.update(made)
                    while len(self._known) > _REMEMBERED:
                        self._known.pop(next(iter(self._known)), None)
        return made

    def forget(self, people: frozenset[str]) -> None:
        """Look these people up anew from now on."""
        with self._lock:
            self._changes += 1
            for pair in list(self._known):  # a signal handler may change it meanwhile
                if not people.isdisjoint(pair):
                    self._known.pop(pair, None)


def _of(found: Mapping[str, Facts], person: str | None) -> Facts | None:
    """What a store says of one person; no other object is remembered. Raises TypeError for it."""
    facts = None if person is None else found.get(person, NOTHING)
    if facts is not None and not isinstance(facts, Facts):
        raise TypeError("a store of subjects returns Facts")
    return facts


_all: "weakref.WeakSet[LookUp]" = weakref.WeakSet()
_lock = Lock()


def changed(people: Collection[str]) -> None:
    """Have everybody in this process look these people up anew: something about them changed."""
    with _lock:
        known = list(_all)
    for each in known:
        each.forget(frozenset(people))


def _after_fork() -> None:
    for each in list(_all):
        each.begin_anew()


os.register_at_fork(after_in_child=_after_fork)
