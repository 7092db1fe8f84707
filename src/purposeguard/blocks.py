"""What `guard.purpose(…)` and `guard.access(…)` return: a decorator and a with-block in one."""

import contextlib
import copy
import inspect
import sys
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from opentelemetry.context import Context, attach, get_current

from purposeguard.arguments import ArgumentReader, people_given
from purposeguard.exceptions import PurposeGuardError, ScopeError
from purposeguard.hub import Hub
from purposeguard.identities import NOBODY, UNREADABLE, People
from purposeguard.kinds import Mark, guarded, innermost
from purposeguard.points import AccessPoint, Names, Site, UnknownName
from purposeguard.policy.access import Access
from purposeguard.policy.decide import Decision, undecided
from purposeguard.policy.reasons import Reason
from purposeguard.scope import (
    EMPTY,
    NOWHERE,
    Chain,
    Lease,
    Opener,
    chain_in,
    current_chain,
    with_chain,
)
from purposeguard.stretch import Gate, Stretch

if TYPE_CHECKING:
    from functools import partialmethod

    Guardable = (
        Callable[..., Any]
        | property
        | staticmethod[..., Any]
        | classmethod[Any, ..., Any]
        | partialmethod[Any]
    )

T = TypeVar("T", bound="Guardable")

_YIELDS = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR


def site_of(frame: FrameType, raw: Any = None) -> Site:
    """Return the place in the code that a frame is at, named after `raw` where it is given."""
    module = frame.f_globals.get("__name__", "")
    name = frame.f_code.co_qualname
    if raw is not None:
        base = innermost(raw)
        module = getattr(base, "__module__", None) or module
        name = getattr(base, "__qualname__", type(base).__qualname__)
    return Site(f"{module}.{name}", frame.f_code.co_filename, frame.f_lineno)


def _leaks_across_yield(frame: FrameType) -> bool:
    """Whether a block written directly in this frame would stay open while a generator waits."""
    if not frame.f_code.co_flags & _YIELDS:
        return False
    driver = frame.f_back
    return driver is None or driver.f_globals.get("__name__") != contextlib.__name__


class _Block(Opener):
    """What both kinds of scope object have in common."""

    __slots__ = ("_error", "_given", "_hub", "_names", "_role")

    def __init__(
        self,
        hub: Hub,
        names: Names,
        given: tuple[object, object] | None,
        error: PurposeGuardError | None,
    ) -> None:
        self.epoch = 0
        self._hub = hub
        self._names = names
        self._given = given
        self._error = error
        self._role: str | None = None

    def _take_role(self, role: str) -> None:
        """With a subject or customer an object is a decorator or a block, not both."""
        if self._given is None:
            return
        if self._role not in (None, role):
            raise ScopeError(
                f"a scope object with a subject or customer is used as a {self._role} already, "
                f"and a {role} reads them differently: make another one"
            )
        self._role = role

    def _decorate(
        self, target: Any, frame: FrameType, gate_for: Callable[[Any], Gate], root: bool = False
    ) -> Any:
        try:
            self._judge_reading()
            self._take_role("decorator")
            site = site_of(frame)
            self._hub.declared.judge(self._names, site)
            self._hub.declared.guarded_at.setdefault(site.file, set()).add(site.line)
            mark = Mark(self._hub.key, self._names.purpose, root)
            return guarded(target, gate_for, mark)
        except PurposeGuardError as error:
            refused = self._refuse(error)
        raise refused.take_error()

    def _judge_reading(self) -> None:
        """Raise what was wrong with the names when they were given, anew each time."""
        if self._error is not None:
            raise copy.copy(self._error)

    def _refuse(self, error: PurposeGuardError) -> Stretch:
        """Return a stretch that was refused: its error has no frame that holds names or people."""
        stretch = Stretch(Gate(self._hub), EMPTY)
        stretch.error = error.with_traceback(None)
        return stretch

    def _reader(self, raw: Any) -> ArgumentReader | None:
        return None if self._given is None else ArgumentReader(raw, *self._given)

    def _judge_block(self, observes: bool) -> People:
        """Judge names and people when a block is entered, and return the people."""
        self._judge_reading()
        # In observe the name is a gap of its own, and looking for the nearest one takes long.
        unknown = None if observes else self._lacking()
        if unknown is not None:
            raise unknown.error()
        if self._given is None:
            return NOBODY
        self._take_role("with-block")
        return people_given(*self._given)

    def _lacking(self) -> UnknownName | None:
        """A name that the policy lacks, unless a policy before it had the name: that is a gap."""
        policy = self._hub.state.policy
        unknown = () if policy is None else self._names.unknown(policy)
        return next((each for each in unknown if not self._hub.declared.was_known(each)), None)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self


class PurposeScope(_Block):
    """Declares a purpose for a function, or for a block."""

    __slots__ = ("_across_yield", "_root")

    def __init__(
        self,
        hub: Hub,
        names: Names,
        given: tuple[object, object] | None,
        error: PurposeGuardError | None,
        root: bool,
        across_yield: bool,
    ) -> None:
        # Written out: these objects are made on every request's path.
        self.epoch = 0
        self._hub = hub
        self._names = names
        self._given = given
        self._error = error
        self._role = None
        self._root = root
        self._across_yield = across_yield

    def __call__(self, target: T, /) -> T:
        """Return `target` with its calls declaring the purpose.

        Raises UnknownNameError for a purpose the policy lacks and ScopeError for what can't be
        guarded.
        """
        result: T = self._decorate(target, sys._getframe(1), self._gate, self._root)
        return result

    def _gate(self, raw: Any) -> Gate:
        purpose = self._names.purpose
        return Gate(self._hub, purpose=purpose, root=self._root, people=self._reader(raw))

    def __enter__(self) -> None:
        frame = sys._getframe(1)
        hub = self._hub
        key = hub.key
        context = get_current()
        below = context.get(key, EMPTY)
        name = self._names.purpose
        if (
            type(below) is Chain
            and self._given is None
            and self._error is None
            and not frame.f_code.co_flags & _YIELDS
            and name in hub.state.purposes
        ):  # the shortest way; `_enter` does it all
            chain = below.push(Lease(name, True, self), self._root)
            values = context.copy()
            values[key] = chain
            chain.outside = context
            chain.inside = inside = Context(values)
            attach(inside)
            return
        refused = self._enter(frame)
        if refused is not None:
            del name, context  # a traceback must not hold run-time names or inbound headers
            raise refused.take_error()

    async def __aenter__(self) -> None:
        refused = self._enter(sys._getframe(1))
        if refused is not None:
            raise refused.take_error()

    def _enter(self, frame: FrameType) -> Stretch | None:
        """Open the block, or return the stretch that holds the error."""
        hub = self._hub
        context = get_current()
        chain = chain_in(context, hub.key)
        name = self._names.purpose or ""
        known = hub.state.knows(name)
        people = NOBODY
        try:
            if frame.f_code.co_flags & _YIELDS and not self._across_yield:
                refuse_in_generator(frame, "purpose")
            if not known or self._given is not None or self._error is not None:
                people = self._judge_block(hub.observes)
        except PurposeGuardError as error:
            if not hub.observes:
                return self._refuse(error)
            if isinstance(error, ScopeError):
                attach(with_chain(context, hub.key, chain.refused(Lease(None, opener=self))))
                return None
            if known:
                hub.faults.add("people")
                people = UNREADABLE
        inside = chain.push(Lease(name, known, self), self._root, people[0], people[1])
        attach(with_chain(context, hub.key, inside))
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        context = get_current()
        key = self._hub.key
        top = context.get(key)
        if type(top) is Chain and top.inside is context:
            lease = top.lease
            if lease is not None and lease.opener is self and lease.epoch == self.epoch:
                lease.end()
                attach(top.outside)
                top.inside = None  # no cycle is left behind, and no context kept
                top.outside = NOWHERE
                return
        chain = self.found(chain_in(context, key))
        if chain is not None:
            chain.inside = None
            attach(with_chain(context, key, chain.under))

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)


def refuse_in_generator(frame: FrameType, noun: str) -> None:
    """Raise ScopeError for a block that is written directly in a generator."""
    if _leaks_across_yield(frame):
        raise ScopeError(
            f"a `guard.{noun}` block in a generator would stay open while the generator waits: "
            f"move it into a function, or decorate the generator with `@guard.{noun}(…)`"
            + (", or, in a pytest fixture, add `across_yield=True`" if noun == "purpose" else "")
        )


class AccessScope(_Block):
    """Marks a function, or a block, as an access to data of one category."""

    __slots__ = ("_open",)

    def __init__(
        self,
        hub: Hub,
        names: Names,
        given: tuple[object, object] | None,
        error: PurposeGuardError | None,
    ) -> None:
        super().__init__(hub, names, given, error)
        self._open: dict[int, Stretch] = {}

    def __call__(self, target: T, /) -> T:
        """Return `target` with every call checked, recorded, and blocked or let through.

        Raises UnknownNameError for names the policy lacks and ScopeError for what can't be guarded.
        A denied call raises OutOfPurposeError or UndecidedAccessError.
        """
        frame = sys._getframe(1)

        def gate_for(raw: Any) -> Gate:
            point = AccessPoint(self._names, site_of(frame, raw), self._hub.tally)
            return Gate(
                self._hub, point=point, purpose=self._names.purpose, people=self._reader(raw)
            )

        result: T = self._decorate(target, frame, gate_for)
        return result

    def __enter__(self) -> Decision:
        stretch = self._enter(sys._getframe(1))
        if stretch.error is not None:
            raise stretch.take_error()
        return self._decision(stretch)

    async def __aenter__(self) -> Decision:
        stretch = self._enter(sys._getframe(1), later=True)
        if stretch.waiting is not None:
            await stretch.ready()
        if stretch.error is not None:
            self._open.pop(id(stretch), None)
            raise stretch.take_error()
        return self._decision(stretch)

    def check(self, frame: FrameType) -> Decision:
        """Judge and record the access at a place in the code, with no block around it."""
        stretch = self._enter(frame, yields=True)
        if stretch.error is not None:
            raise stretch.take_error()
        self.__exit__(None, None, None)
        return self._decision(stretch)

    def _decision(self, stretch: Stretch) -> Decision:
        if stretch.decision is not None:
            return stretch.decision
        return undecided(Reason.CHECK_FAILED, Access(self._names.category or ""))

    def _enter(self, frame: FrameType, *, yields: bool = False, later: bool = False) -> Stretch:
        """Return the stretch of the block, open or with the error that refuses it."""
        hub = self._hub
        people = NOBODY
        failed = False
        chain = current_chain(hub.key)
        purpose = self._names.purpose
        observes = hub.observes_access(self._names, chain)
        try:
            if not yields and frame.f_code.co_flags & _YIELDS:
                refuse_in_generator(frame, "access")
            people = self._judge_block(observes)
        except PurposeGuardError as error:
            if not observes:
                return self._refuse(error)
            if isinstance(error, ScopeError):
                chain = chain.refused(Lease(None))
                purpose = None
            else:  # a name that the policy lacks is a gap of its own
                failed = self._error is not None or self._lacking() is None
        point = hub.declared.point(self._names, site_of(frame), hub.tally)
        lease = Lease(purpose, purpose is None or hub.state.knows(purpose), self)
        stretch = Stretch(Gate(hub, point=point), chain, lease, people)
        stretch.later = later
        if failed:
            stretch.fail()
        stretch.start(get_current())
        if stretch.error is None:
            stretch.chain.stretch = stretch
            self._open[id(stretch)] = stretch
        return stretch

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        context = get_current()
        key = self._hub.key
        chain = self.found(chain_in(context, key))
        if chain is None:
            for name in list(self._open):
                stretch = self._open.pop(name, None)  # another thread may be doing the same
                if stretch is not None:
                    stretch.finish()
        elif chain.stretch is None:
            attach(with_chain(context, key, chain.under))
        else:
            chain.stretch.leave()
            chain.stretch.forget()
            self._open.pop(id(chain.stretch), None)

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)
