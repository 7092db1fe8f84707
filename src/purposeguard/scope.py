"""Leases and chains: for which stretch of execution which purposes are declared.

A chain is an immutable value that lives in the OpenTelemetry Context under one key per guard. It
holds leases, the only mutable part: a lease dies with the block that opened it, and every chain
that it is on dies with it, wherever a copy of that chain is still held.
"""

import os
import time
from collections.abc import Mapping
from typing import Any, TypeVar

from opentelemetry.context import Context, create_key, get_current

T = TypeVar("T")

_LONG = 64
"""How many blocks, open or ended, a chain may go back over before the ended ones are dropped."""

_INTERNED_LIMIT = 10_000
"""How many signatures are kept for reuse; the ones beyond it are made anew each time."""


class _Process:
    """The identity of this process, another one in a forked child."""

    __slots__ = ()


_here = _Process()


def _after_fork() -> None:
    global _here  # noqa: PLW0603 - the one thing that a fork changes
    _here = _Process()


os.register_at_fork(after_in_child=_after_fork)


class Signature:
    """What of a chain a decision depends on: a value that caches are keyed on by identity.

    `purposes` are distinct, the innermost last. A signature is `transient` where it holds a name
    that the policy lacked: nothing may be cached for it, since such names come from outside.
    `issuer` names the service whose signed token some of the purposes came from.
    """

    __slots__ = (
        "_children",
        "_closed",
        "carried",
        "closed",
        "issuer",
        "purposes",
        "root",
        "transient",
    )

    def __init__(
        self,
        purposes: tuple[str, ...],
        *,
        root: bool = False,
        carried: bool = False,
        issuer: str | None = None,
        closed: bool = False,
        transient: bool = False,
    ) -> None:
        self.purposes = purposes
        self.root = root
        self.carried = carried
        self.issuer = issuer
        self.closed = closed
        self.transient = transient
        self._children: dict[str, Signature] = {}
        self._closed: Signature | None = None

    def declare(self, purpose: str, known: bool) -> "Signature":
        """Return the signature with one more purpose as the innermost one."""
        found = self._children.get(purpose)
        if found is None:
            purposes = (*(each for each in self.purposes if each != purpose), purpose)
            found = self._with(purposes, self.root, self.carried, self.issuer, known=known)
            if found.interned:
                self._children[purpose] = found
        return found

    @property
    def interned(self) -> bool:
        """Whether this very object stands for its value everywhere."""
        return _table.get((self.purposes, self.root, self.carried, self.issuer)) is self

    def marked(self, root: bool, carried: bool, issuer: str | None) -> "Signature":
        """Return the same purposes, marked as begun anew, handed over or taken in as well."""
        marks = (root or self.root, carried or self.carried, self.issuer or issuer)
        if marks == (self.root, self.carried, self.issuer):
            return self
        return self._with(self.purposes, *marks)

    def _with(
        self,
        purposes: tuple[str, ...],
        root: bool,
        carried: bool,
        issuer: str | None,
        *,
        known: bool = True,
    ) -> "Signature":
        if self.transient or not known:
            return Signature(purposes, root=root, carried=carried, issuer=issuer, transient=True)
        return _interned(purposes, root, carried, issuer)

    def as_closed(self) -> "Signature":
        """Return the signature of the same chain once a lease on it has died."""
        if self._closed is None:
            self._closed = Signature(
                self.purposes,
                root=self.root,
                carried=self.carried,
                issuer=self.issuer,
                closed=True,
                transient=self.transient,
            )
        return self._closed


_table: dict[tuple[tuple[str, ...], bool, bool, str | None], Signature] = {}


def _interned(
    purposes: tuple[str, ...], root: bool, carried: bool, issuer: str | None = None
) -> Signature:
    key = (purposes, root, carried, issuer)
    found = _table.get(key)
    if found is None:
        found = Signature(purposes, root=root, carried=carried, issuer=issuer)
        if len(_table) < _INTERNED_LIMIT:
            found = _table.setdefault(key, found)
    return found


UNDECLARED = _interned((), root=False, carried=False)
_ROOT = _interned((), root=True, carried=False)


class Opener:
    """A scope object: may be entered many times, nested, and from many threads.

    What a block opened is found in the context, never on the object, so leaving works in any
    context and never touches a token of another one. `epoch` counts how often the object had to
    kill all its leases at once: a lease of an earlier epoch is dead.
    """

    __slots__ = ("epoch",)

    def __init__(self) -> None:
        self.epoch = 0

    def found(self, chain: "Chain | None") -> "Chain | None":
        """Kill the innermost live lease that this object opened in a context's chain.

        Returns the chain that it was pushed with, whose `under` is what was in force before. Where
        the context holds none of its own, every lease that the object still has open dies, and
        None is returned: a gap for bystanders, never a grant.
        """
        dead = None
        while chain is not None:
            lease = chain.lease
            if lease is not None and lease.opener is self:
                if lease.epoch == self.epoch and lease.process is _here:
                    lease.end()
                    return chain
                dead = dead or chain
            chain = chain.under
        if dead is None:
            self.epoch += 1
        return dead


_CALLS = Opener()
"""Stands in as the opener of what calls open: they close it themselves."""


_ENDED = -1
"""The epoch of a lease that has been ended: no opener is ever in it."""


class Lease:
    """The token of one open block, call or generator. `purpose` is None where it declares none.

    It lives as long as its epoch is its opener's, in the process that opened it.
    """

    __slots__ = ("epoch", "known", "opener", "process", "purpose")

    def __init__(self, purpose: str | None, known: bool = True, opener: Opener = _CALLS) -> None:
        self.purpose = purpose
        self.known = known
        self.opener = opener
        self.epoch = opener.epoch
        self.process = _here

    def end(self) -> None:
        """Kill the lease, and with it every chain that it is on."""
        self.epoch = _ENDED

    def live(self) -> bool:
        """Whether the lease is alive, in this process."""
        return self.epoch == self.opener.epoch and self.process is _here


class OpenGround:
    """A lawful exception that a block states, for as long as its lease lives and its time lasts.

    `condition` is the one that was stated, `site` the place in the code.
    """

    __slots__ = ("_ends", "condition", "id", "lease", "name", "site")

    def __init__(
        self,
        name: str,
        condition: str | None,
        identifier: str,
        site: Any,
        lease: Lease,
        ends: float,
    ) -> None:
        self.name = name
        self.condition = condition
        self.id = identifier
        self.site = site
        self.lease = lease
        self._ends = ends

    def live(self) -> bool:
        """Whether it still counts."""
        return self.lease.live() and time.monotonic() < self._ends

    def over(self) -> bool:
        """Whether this process has opened its block, and left it."""
        return self.lease.process is _here and not self.lease.live()


NOWHERE = Context()


class Chain:
    """The leases in a context, outermost first, and what was in force before the newest of them."""

    __slots__ = (
        "_process",
        "customer",
        "ground",
        "inside",
        "lease",
        "leases",
        "outside",
        "signature",
        "stretch",
        "subject",
        "under",
    )

    def __init__(
        self,
        leases: tuple[Lease, ...],
        signature: Signature,
        process: _Process,
        lease: Lease | None = None,
        under: "Chain | None" = None,
        subject: object = None,
        customer: object = None,
        ground: OpenGround | None = None,
    ) -> None:
        self.leases = leases
        self.signature = signature
        self._process = process
        self.lease = lease
        self.under = under
        self.subject = subject
        self.customer = customer
        self.ground = ground
        """The innermost ground that a block states. It stands beside the leases: its end kills
        nothing, it is not carried, and a root chain drops it."""
        self.stretch: Any = None
        """The stretch of the access block that pushed this chain."""
        self.inside: Context | None = None
        """The context that the open block which pushed this chain has made current."""
        self.outside = NOWHERE
        """The context that it was entered in."""

    def live(self) -> bool:
        """Whether every lease on the chain is alive, in this process."""
        leases = self.leases
        if leases and self._process is not _here:
            return False
        for lease in leases:  # noqa: SIM110 - a generator expression costs more than the loop
            if lease.epoch != lease.opener.epoch:
                return False
        return True

    def prepared(self, state: object, cache: tuple[object, Mapping[Signature, T]]) -> T | None:
        """Return what a cache keeps for this chain, if it is live and the cache is for this state.

        Every guarded call comes through here: `live` is written out, since a call costs as much as
        the rest.
        """
        kept_for, kept = cache
        if kept_for is not state or self._process is not _here:
            return None
        for lease in self.leases:
            if lease.epoch != lease.opener.epoch:
                return None
        try:
            return kept[self.signature]
        except KeyError:
            return None

    def in_force(self) -> Signature:
        """Return the signature to decide by: of the live chain, or of the dead one."""
        return self.signature if self.live() else self.signature.as_closed()

    def push(
        self,
        lease: Lease,
        root: bool = False,
        subject: object = None,
        customer: object = None,
    ) -> "Chain":
        """Return the chain with a lease on top, or, as a root, with that lease alone."""
        base = self
        if base.lease is not None and base.lease.epoch == _ENDED:
            base = base.shortened()
        below = EMPTY if root else base
        leases = below.leases
        signature = _ROOT if root else below.signature
        process = lease.process
        if leases and process is _here:
            process = below._process
        purpose = lease.purpose
        if purpose is not None:
            leases = (*leases, lease)
            # The children are looked at here, since a call costs as much as the rest.
            signature = signature._children.get(purpose) or signature.declare(purpose, lease.known)
        return Chain(
            leases,
            signature,
            process,
            lease,
            base,
            below.subject if subject is None else subject,
            below.customer if customer is None else customer,
            below.ground,
        )

    def begun(
        self, lease: Lease, leases: tuple[Lease, ...], issuer: str | None, *, inherits: bool
    ) -> "Chain":
        """Return a root chain of these leases, each of which may declare a purpose.

        `lease` stands for the scope that holds them all. With `inherits` it is about the people
        that this chain is about.
        """
        people = (self.subject, self.customer) if inherits else (None, None)
        chain = Chain((), _ROOT, lease.process, lease, self, *people)
        chain.become(leases, issuer)
        return chain

    def become(self, leases: tuple[Lease, ...], issuer: str | None) -> None:
        """Declare what a root scope has learnt late, wherever its chain is held."""
        signature = _ROOT.marked(True, False, issuer)
        for each in leases:
            if each.purpose is not None:
                signature = signature.declare(each.purpose, each.known)
        # In this order: whoever looks meanwhile finds leases that nothing is declared for.
        self.leases = leases
        self.signature = signature

    def stating(self, ground: OpenGround) -> "Chain":
        """Return the chain inside a block that states a ground."""
        chain = self.push(ground.lease)
        chain.ground = ground
        return chain

    def ground_in_force(self) -> OpenGround | None:
        """Return the ground that counts: the innermost one, if it is live."""
        ground = self.ground
        return ground if ground is not None and ground.live() else None

    def shortened(self) -> "Chain":
        """Return a chain that stands for this one, whose block has ended, without ended blocks.

        Work that schedules its successor from inside a block hands the ended block on each time.
        Only a long chain is shortened: on a short one, an ended block that is left once more, from
        a copied context, is found.
        """
        chain: Chain | None = self
        for _ in range(_LONG):
            chain = chain and chain.under
        if chain is None:
            return self
        base: Chain = self
        while base.under is not None and not (base.lease.live() if base.lease else base.live()):
            base = base.under
        if base is self:
            return self
        dead = next((lease for lease in self.leases if not lease.live()), None)
        leases = self.leases if dead is None else (dead,)
        process = self._process if dead is None else dead.process
        people = (self.subject, self.customer)
        return Chain(leases, self.signature, process, self.lease, base, *people, self.ground)

    def undeclared(self) -> "Chain":
        """Return the chain of a step in which one side declares nothing."""
        return Chain((), UNDECLARED, _here, None, self)

    def refused(self, lease: Lease) -> "Chain":
        """Return an empty root chain: what a refused scope's block runs on in observe mode."""
        return Chain((), _ROOT, _here, lease, self)

    def joined(self, other: "Chain") -> "Chain":
        """Return the chain that holds the leases of both: all must be live, and all must permit."""
        if other is self:
            return self
        added = [lease for lease in other.leases if lease not in self.leases]
        subject = self.subject if other.subject is None else other.subject
        customer = self.customer if other.customer is None else other.customer
        ground = self.ground or other.ground
        same = ground is self.ground and subject is self.subject and customer is self.customer
        if not added and same:
            return self
        marks = (other.signature.root, other.signature.carried, other.signature.issuer)
        return self._with(added, self, marks, subject, customer, ground)

    def _with(
        self,
        added: list[Lease],
        under: "Chain",
        marks: tuple[bool, bool, str | None],
        subject: object,
        customer: object,
        ground: OpenGround | None,
    ) -> "Chain":
        """Return the chain with more leases; `marks` are those of their chain's signature."""
        signature = self.signature
        for lease in added:
            signature = signature.declare(lease.purpose or "", lease.known)
        signature = signature.marked(*marks)
        leases = (*self.leases, *added)
        process = next((each.process for each in leases if each.process is not _here), _here)
        return Chain(leases, signature, process, None, under, subject, customer, ground)

    def renewed(self, carried: "Chain", leases: tuple[Lease, ...]) -> "Chain":
        """Return this chain with new `leases` in place of the ones that were carried.

        What else is on it stays, must be live, and intersects.
        """
        rest = [lease for lease in self.leases if lease not in carried.leases]
        root = carried.signature.root or self.signature.root
        issuer = carried.signature.issuer or self.signature.issuer
        base = Chain((), UNDECLARED, _here)
        subject = self.subject if carried.subject is None else carried.subject
        customer = self.customer if carried.customer is None else carried.customer
        marks, under = (root, True, issuer), self.shortened()
        return base._with([*rest, *leases], under, marks, subject, customer, self.ground)


EMPTY = Chain((), UNDECLARED, _here)
"""Nothing is declared."""


def chain_in(context: Context, key: str) -> Chain:
    """Return the chain that a context holds."""
    chain = context.get(key, EMPTY)
    return chain if type(chain) is Chain else EMPTY


def current_chain(key: str) -> Chain:
    """Return the chain in the current context."""
    return chain_in(get_current(), key)


def with_chain(context: Context, key: str, chain: Chain | None) -> Context:
    """Return a copy of a context with another chain in it, or with none."""
    values = context.copy()
    if chain is None or chain is EMPTY:
        values.pop(key, None)
    else:
        values[key] = chain
    return Context(values)


def new_key() -> str:
    """Return a key of the OpenTelemetry Context for one guard."""
    return create_key("purposeguard")
