"""The accesses that are open in a context: what is done inside of one may belong to it."""

from opentelemetry.context import Context

from purposeguard.hub import Hub
from purposeguard.points import Answer, Names
from purposeguard.policy.reasons import Operation
from purposeguard.scope import Chain

_COVERED = {
    Operation.USE: frozenset(set(Operation) - {Operation.ERASE}),
    Operation.STORE: frozenset({Operation.STORE, Operation.COLLECT}),
    Operation.ERASE: frozenset({Operation.ERASE}),
}
"""Each operation of a part, and the operations of an access that it may be a part of."""


class OpenAccess:
    """An access that was let through, for as long as its call or block is open."""

    __slots__ = ("answer", "chain", "live", "outer")

    def __init__(self, answer: Answer, chain: Chain, outer: "OpenAccess | None") -> None:
        self.answer = answer
        self.chain = chain
        self.live: bool = True
        self.outer: OpenAccess | None
        while outer is not None and not outer.live:
            outer = outer.outer
        self.outer = outer

    def covers(
        self, chain: Chain, category: str, items: tuple[str, ...] | None, operation: str | None
    ) -> bool:
        """Whether an access of this kind, under this chain, is a part of this one.

        Its purposes must be in force still, with none inside of it, and its ground.
        """
        decision = self.answer.decision
        if (
            not self.live
            or decision.category != category
            or decision.operation not in _COVERED[Operation(operation or Operation.USE)]
            or self.chain.leases != chain.leases
            or (decision.ground is not None and chain.ground_in_force() is not self.chain.ground)
        ):
            return False
        return decision.items is None or (items is not None and set(items) <= {*decision.items})


def covered(
    hub: Hub,
    context: Context,
    chain: Chain,
    category: str,
    items: tuple[str, ...] | None,
    operation: str | None,
) -> bool:
    """Whether an access would be a part of one that is open in a context.

    One that was denied, and let through since it is only observed, is recorded already. It covers
    its parts for as long as they would only be observed too.
    """
    access = context.get(hub.opened)
    while type(access) is OpenAccess:
        if access.covers(chain, category, items, operation):
            answer = access.answer
            if chain.live() == answer.signature.closed:
                return False
            return answer.permits or hub.observes_access(Names(category), chain)
        access = access.outer
    return False


def holding(context: Context, key: str, access: OpenAccess) -> Context:
    """Return a copy of a context in which an access is open."""
    values = context.copy()
    values[key] = access
    return Context(values)
