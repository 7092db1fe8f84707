"""What an app declares: which routes and tasks have a purpose, and which reach raw functions."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from logging import WARNING
from typing import Any, Protocol

from purposeguard.exceptions import ScopeError
from purposeguard.guard import Guard
from purposeguard.kinds import MARK


@dataclass(frozen=True, slots=True, order=True)
class Declared:
    """One way into an app, and the purpose that it declares."""

    name: str
    """`GET /jobs/{id}`, or a task's name."""
    function: str
    """The qualified name of what is called."""
    purpose: str | None
    """What it is for, or None where nothing says so; several, outermost first, must all permit."""
    by: str | None = None
    """What says so: the view, its blueprint, the route, …

    A task without a purpose of its own that has what it is handed says `caller`.
    """
    own: bool = False
    """Whether it is the framework's own, such as static files: nothing to declare."""


class Adapter(Protocol):
    """What an app's adapter can tell of it."""

    guard: Guard

    def declared(self) -> list[Declared]:
        """Return every way into the app."""

    def check(self) -> None:
        """Raise ScopeError where a raw function is registered."""


def qualified(function: Any) -> str:
    """Return a function's name with its module."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return f"{getattr(function, '__module__', None) or '?'}.{name}"


def guarded_for(guard: Guard, function: Any) -> str | None:
    """Return the purposes that a function declares to a guard by itself, outermost first."""
    return declared_for(guard, [function])[0]


def declared_for(
    guard: Guard, functions: Iterable[Any], purpose: str | None = None, by: str | None = None
) -> tuple[str | None, str | None]:
    """Return what a way into an app is for, and what says so, each outermost first.

    `purpose` is what the adapter declares, and `by` what says it; inside are the guard's own
    decorators on the functions, outermost first. All purposes must permit.
    """
    said = {} if purpose is None else {purpose: by}
    for mark in chain.from_iterable(getattr(each, MARK, ()) for each in functions):
        if mark.guard == guard._hub.key and mark.purpose is not None:
            if mark.root:
                said.clear()
            said.setdefault(mark.purpose, "guard")
    sources = dict.fromkeys(filter(None, said.values()))
    return ", ".join(said) or None, ", ".join(sources) or None


def goes_on(guard: Guard, error: ScopeError) -> bool:
    """Return whether an app that runs already goes on in spite of a refusal, and tell of that.

    It does where the guard observes: an event has the text that would be raised.
    """
    hub = guard._hub
    if hub.observes:
        hub.events.emit("purposeguard.unguarded", str(error), {}, WARNING)
    return hub.observes


def refuse_raw(guard: Guard, kind: str, registered: Iterable[tuple[str, Any]]) -> None:
    """Raise ScopeError where what is registered passes a guard by, with the fix.

    `kind` is a view, an endpoint or a task; `registered` are names and functions. The commonest
    mistake is a guard above the decorator that registers: the framework has the raw function then.
    Guarded functions are looked for in the modules of those that are registered.
    """
    listed = list(registered)
    names = {getattr(function, "__module__", None) for _, function in listed}
    modules = [sys.modules[name] for name in names if name in sys.modules]
    functions = [function for _, function in listed]
    if not guard.find_unguarded(functions, modules=modules):
        return
    found = [
        f"the {kind} `{name}` is {unguarded.why}"
        for name, function in listed
        for unguarded in guard.find_unguarded([function], modules=modules)
    ]
    raise ScopeError("; ".join(dict.fromkeys(found)))
