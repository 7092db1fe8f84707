"""Finding raw functions that stand behind guarded ones."""

import functools
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import FunctionType, MethodType, ModuleType
from typing import Any

from purposeguard.kinds import MARK, is_guarded


@dataclass(frozen=True, slots=True)
class Unguarded:
    """A way to data that passes no guard: where it was found, and what is wrong there."""

    place: str
    why: str

    def __str__(self) -> str:
        return f"{self.place}: {self.why}"


_RAW = "the raw function behind a guarded one: put the guard below what registered it"
_CACHED = "a cache around a guarded function answers every later purpose: cache inside the guard"
_OVERRIDE = "overrides a guarded method without a guard: guard the override"
_ATOMS = frozenset({str, bytes, int, float, bool, type(None)})
"""What most of what is looked through is, and what leads nowhere."""


def find_unguarded(places: tuple[object, ...]) -> list[Unguarded]:
    """Look through places, by default through every imported module."""
    modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    everywhere = list(_walk(modules))
    raws = {
        function
        for _, value in everywhere
        if isinstance(value, FunctionType) and is_guarded(value)
        for function in _raws(value)
    }
    looked = everywhere if not places else list(_walk(places))
    found = {Unguarded(place, why): None for place, value in looked for why in _faults(value, raws)}
    for _, value in looked:
        if isinstance(value, type):
            found.update((each, None) for each in _overrides(value))
    return list(found)


def _faults(value: object, raws: set[FunctionType]) -> Iterator[str]:
    if any(function in raws for function in _functions_in(value)):
        yield _RAW
    if isinstance(value, functools.cached_property) and _is_guarded(value.func):
        yield _CACHED
    if hasattr(type(value), "cache_info") and _is_guarded(getattr(value, "__wrapped__", None)):
        yield _CACHED


def _is_guarded(value: object) -> bool:
    """Whether a function is guarded, or wraps a guarded one, as far as can be seen."""
    return isinstance(value, FunctionType) and hasattr(value, MARK)


def _raws(guarded: FunctionType) -> Iterator[FunctionType]:
    """What a guarded function calls in the end, through any stack of guards."""
    for cell in guarded.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:
            continue
        for function in _functions_in(value):
            if is_guarded(function):
                yield from _raws(function)
            elif not _is_ours(function):
                yield function


def _is_ours(function: FunctionType) -> bool:
    return (function.__module__ or "").partition(".")[0] == __name__.partition(".")[0]


def _functions_in(value: Any) -> Iterator[FunctionType]:
    """The function that a callable is, and those that it is made of."""
    while True:
        if isinstance(value, functools.partial | functools.partialmethod):
            value = value.func
        elif type(value) in (MethodType, staticmethod, classmethod):
            value = value.__func__
        elif isinstance(value, FunctionType):
            yield value
            value = vars(value).get("__wrapped__")
        elif hasattr(type(value), "cache_info"):
            value = getattr(value, "__wrapped__", None)
        else:
            return


def _overrides(base: type) -> Iterator[Unguarded]:
    guarded = {name for name, value in vars(base).items() if any(map(_is_guarded, _parts(value)))}
    for sub in _subclasses(base) if guarded else ():
        for name in guarded & vars(sub).keys():
            parts = list(_parts(vars(sub)[name]))
            if parts and not any(map(_is_guarded, parts)):
                yield Unguarded(f"{sub.__module__}.{sub.__qualname__}.{name}", _OVERRIDE)


def _subclasses(base: type) -> Iterator[type]:
    below: list[type] = type.__subclasses__(base)
    for sub in below:
        yield sub
        yield from _subclasses(sub)


def _parts(value: object) -> Iterator[object]:
    if isinstance(value, staticmethod | classmethod):
        yield value.__func__
    elif isinstance(value, property):
        yield from (part for part in (value.fget, value.fset, value.fdel) if part)
    elif isinstance(value, FunctionType):
        yield value


def _walk(places: Iterable[object]) -> Iterator[tuple[str, object]]:
    """Yield what stands in modules, classes and registries, each with its name."""
    seen: set[int] = set()
    # Breadth first: what is met at several depths is looked into from the least one.
    queue: deque[tuple[str, object, int]] = deque((_name(place), place, 0) for place in places)
    while queue:
        name, value, depth = queue.popleft()
        if type(value) in _ATOMS:
            continue
        yield name, value
        if id(value) in seen or depth > 5:
            continue
        seen.add(id(value))
        queue.extend((f"{name}{label}", inner, depth + 1) for label, inner in _inside(value, depth))


def _inside(value: object, depth: int) -> Iterator[tuple[str, object]]:
    if (isinstance(value, ModuleType) and depth == 0) or (isinstance(value, type) and depth <= 2):
        yield from ((f".{name}", inner) for name, inner in list(vars(value).items()))
    elif isinstance(value, staticmethod | classmethod | property):
        yield from (("", part) for part in _parts(value))
    elif isinstance(value, functools.partial):
        yield "", value.func
    elif isinstance(value, Mapping):
        yield from _entries(value)
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{place}]", inner) for place, inner in enumerate(list(value)))
    elif not isinstance(value, FunctionType) or depth <= 2:
        yield from _attributes(value)


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    """What an object holds, such as an application that routes were registered with."""
    try:
        held = list(object.__getattribute__(value, "__dict__").items())
    except Exception:  # noqa: BLE001 - most have none, and a stand-in for another object may raise
        return
    yield from ((f".{name}", inner) for name, inner in held if name != "__wrapped__")


def _entries(value: Mapping[Any, Any]) -> Iterator[tuple[str, object]]:
    try:
        entries = list(value.items())
    except Exception:  # noqa: BLE001 - somebody else's mapping may do anything
        return
    for key, inner in entries:
        label = key if isinstance(key, str) and key.isidentifier() else type(key).__name__
        yield f"[{label}]", inner


def _name(place: object) -> str:
    return str(
        getattr(place, "__qualname__", None)
        or getattr(place, "__name__", None)
        or type(place).__name__
    )
