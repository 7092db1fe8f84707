"""Handing purposes over to work that runs elsewhere or later."""

from collections.abc import Callable
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import Any, TypeVar

from purposeguard.exceptions import ScopeError
from purposeguard.hub import Hub
from purposeguard.kinds import drive, drive_async, drive_coroutine, passing
from purposeguard.scope import current_chain
from purposeguard.stretch import CarriedStretch, CarryGate

T = TypeVar("T")

_DRIVERS: dict[type, Callable[[Any, CarriedStretch], Any]] = {
    CoroutineType: drive_coroutine,
    GeneratorType: drive,
    AsyncGeneratorType: drive_async,
}


def carry(hub: Hub, work: T) -> T:
    """Return `work` with the purposes in force here opened anew for each of its calls."""
    chain = current_chain(hub.key)
    live = chain.live()
    if not live and not hub.observes:
        raise ScopeError(
            "a scope on the chain has ended, so its purpose can't be carried: "
            "carry while the block is open, or declare the purpose where the work is done"
        )
    gate = CarryGate(hub, chain if live else None)
    driver = _DRIVERS.get(type(work))
    carried: T
    if driver is not None:
        carried = driver(work, CarriedStretch(gate, chain))
    elif callable(work):
        carried = passing(work, gate)
    elif hub.observes:
        hub.faults.add("carry")
        carried = work
    else:
        raise ScopeError(
            f"an object of type `{type(work).__name__}` can't carry a purpose: "
            "give a function, or a coroutine or generator object"
        )
    return carried
