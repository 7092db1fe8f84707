"""Root scopes that a framework comes back to: of a request, task, message or command."""

from types import TracebackType
from typing import Self

from opentelemetry.context import attach, get_current

from purposeguard.hub import Hub
from purposeguard.scope import Chain, Lease, chain_in, with_chain


class RootScope:
    """A new chain, entered as often as a framework comes back to its request, and ended once.

    Entering it, in whatever thread or context, makes the chain current; leaving restores what was
    in force before. What was opened inside it stays in force where it is entered once more. Copies
    of the context keep the chain, and all of them are dead from `end` on.
    In a forked child it is dead too.
    """

    __slots__ = ("_entered", "_hub", "_inherits", "_issuer", "_lease", "_leases")

    def __init__(
        self, hub: Hub, purposes: tuple[str, ...], issuer: str | None, inherits: bool
    ) -> None:
        self._hub = hub
        self._inherits = inherits
        self._lease = Lease(None)
        self._entered: list[Chain] = []
        self._declare(purposes, issuer)

    def _declare(self, purposes: tuple[str, ...], issuer: str | None) -> None:
        knows = self._hub.state.knows
        self._leases = tuple(Lease(purpose, knows(purpose)) for purpose in purposes)
        self._issuer = issuer

    def __enter__(self) -> Self:
        context = get_current()
        key = self._hub.key
        here = chain_in(context, key)
        chain = here.begun(self._lease, self._leases, self._issuer, inherits=self._inherits)
        self._entered.append(chain)
        if self._found(here) is not None:
            chain = chain.joined(here)
        attach(with_chain(context, key, chain))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Restore what was in force, if this context holds the chain. Never raises."""
        context = get_current()
        chain = self._found(chain_in(context, self._hub.key))
        if chain is not None:
            if chain in self._entered:
                self._entered.remove(chain)
            attach(with_chain(context, self._hub.key, chain.under))

    def _found(self, chain: Chain | None) -> Chain | None:
        """Return the chain of this scope that a context's chain stands on, or None."""
        while chain is not None and chain.lease is not self._lease:
            chain = chain.under
        return chain

    def current(self) -> bool:
        """Whether this context holds the chain, whatever was opened inside it since."""
        return self._found(chain_in(get_current(), self._hub.key)) is not None

    def become(self, purposes: tuple[str, ...], issuer: str | None) -> bool:
        """Declare these purposes from now on, also where the scope is entered already.

        For a framework that tells late what a request is for, and takes back a context that was
        attached meanwhile. What was opened inside before is dead, unless the same was declared:
        return whether it was not. Nothing comes of it after `end`.
        """
        if purposes == tuple(lease.purpose for lease in self._leases) and issuer == self._issuer:
            return False
        before = self._leases
        if self._lease.live():
            self._declare(purposes, issuer)
            for chain in self._entered:
                chain.become(self._leases, issuer)
        for lease in before:
            lease.end()
        return True

    def refuse(self) -> None:
        """Have every access inside denied, whatever is declared there: the chain is dead."""
        dead = Lease(None)
        dead.end()
        self._leases, self._issuer = (dead,), None
        for chain in self._entered:
            chain.become(self._leases, None)

    def end(self) -> None:
        """Kill the chain, wherever a copy of it is still held. May be called many times."""
        self._lease.end()
        for lease in self._leases:
            lease.end()
