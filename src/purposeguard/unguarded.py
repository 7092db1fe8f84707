"""Finding raw functions that stand behind guarded ones."""

import functools
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import CodeType, FunctionType, ModuleType
from typing import Any

from purposeguard.kinds import MARK


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


def find_unguarded(places: tuple[object, ...]) -> list[Unguarded]:
    """Look through places, by default through every imported module."""
    modules = [module for module in list(sys.modules.values()) if isinstance(module, ModuleType)]
    everywhere = list(_walk(modules))
    raws = {
        code
        for _, value in everywhere
        if isinstance(value, FunctionType) and hasattr(value, MARK)
        for code in _raw_codes(value)
    }
    looked = everywhere if not places else list(_walk(places))
    found = {Unguarded(place, why): None for place, value in looked for why in _faults(value, raws)}
    for _, value in looked:
        if isinstance(value, type):
            found.update((each, None) for each in _overrides(value))
    return list(found)


def _faults(value: object, raws: set[CodeType]) -> Iterator[str]:
    if isinstance(value, FunctionType) and value.__code__ in raws:
        yield _RAW
    if isinstance(value, functools.cached_property) and _is_guarded(value.func):
        yield _CACHED
    if hasattr(type(value), "cache_parameters") and _is_guarded(
        getattr(value, "__wrapped__", None)
    ):
        yield _CACHED


def _is_guarded(value: object) -> bool:
    return isinstance(value, FunctionType) and hasattr(value, MARK)


def _raw_codes(guarded: FunctionType) -> Iterator[CodeType]:
    """The code of what a guarded function calls in the end, through any stack of guards."""
    for cell in guarded.__closure__ or ():
        try:
            value = cell.cell_contents
        except ValueError:
            continue
        for function in _functions_in(value):
            if hasattr(function, MARK):
                yield from _raw_codes(function)
            elif function.__module__ != __package__ and not _is_ours(function):
                yield function.__code__


def _is_ours(function: FunctionType) -> bool:
    return (function.__module__ or "").partition(".")[0] == __name__.partition(".")[0]


def _functions_in(value: Any) -> Iterator[FunctionType]:
    while True:
        if isinstance(value, functools.partial):
            value = value.func
        elif isinstance(value, FunctionType):
            yield value
            value = getattr(value, "__wrapped__", None)
        else:
            return


def _overrides(base: type) -> Iterator[Unguarded]:
    guarded = {name for name, value in vars(base).items() if any(map(_is_guarded, _parts(value)))}
    for sub in _subclasses(base):
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
    queue: list[tuple[str, object, int]] = [(_name(place), place, 0) for place in places]
    while queue:
        name, value, depth = queue.pop()
        yield name, value
        if id(value) in seen or depth > 3:
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
    elif isinstance(value, FunctionType) and isinstance(vars(value).get("registry"), Mapping):
        yield ".registry", vars(value)["registry"]


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
