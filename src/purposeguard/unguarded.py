"""Finding raw functions that stand behind guarded ones."""

import functools
import sys
from collections import deque
from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping, ValuesView
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from types import CodeType, FunctionType, MemberDescriptorType, MethodType, ModuleType
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
_COLLECTIONS = (list, tuple, set, frozenset, deque, KeysView, ValuesView, ItemsView)
"""What is looked into. Other collections may do work when they are read."""
_ATOMS = frozenset({str, bytes, int, float, bool, type(None)})
"""What most of what is looked through is, and what leads nowhere."""


def _is(value: object, kinds: Any) -> bool:
    """`isinstance`, without asking the object, which may not be ready for questions."""
    return issubclass(type(value), kinds)


Sites = Mapping[str, AbstractSet[int]]
"""The lines, by file, at which functions were given a guard."""


def find_unguarded(
    places: tuple[object, ...], guarded_at: Sites, modules: Iterable[ModuleType] | None = None
) -> list[Unguarded]:
    """Look through places, by default through every imported module.

    `modules` are where guarded functions are looked for, in themselves and their classes.
    """
    if modules is None:
        modules = [module for module in list(sys.modules.values()) if _is(module, ModuleType)]
        everywhere = list(_walk(modules))
    else:
        everywhere = list(_walk(modules, deep=1))
    looked = list(_walk(places)) if places else everywhere
    raws = {
        function
        for _, value in (*everywhere, *looked)
        if _is(value, FunctionType) and is_guarded(value)
        for function in _raws(value)
    }
    found = {
        Unguarded(place, why): None
        for place, value in looked
        for why in _faults(value, raws, guarded_at)
    }
    for _, value in looked:
        if _is(value, type):
            found.update((each, None) for each in _overrides(value))
    return list(found)


def _faults(value: Any, raws: set[FunctionType], guarded_at: Sites) -> Iterator[str]:
    if any(each in raws or _was_decorated(each, guarded_at) for each in _functions_in(value)):
        yield _RAW
    if _is(value, functools.cached_property) and _is_guarded(value.func):
        yield _CACHED
    if hasattr(type(value), "cache_info") and _is_guarded(getattr(value, "__wrapped__", None)):
        yield _CACHED


def _was_decorated(function: FunctionType, guarded_at: Sites) -> bool:
    """Whether a guard stands above a raw function, though nothing may hold the guarded one.

    A view defined in an application's factory is like that.
    """
    code = function.__code__
    lines = guarded_at.get(code.co_filename)
    return lines is not None and not lines.isdisjoint(_header(code)) and not is_guarded(function)


def _header(code: CodeType) -> range:
    """Return the lines of a function's decorators: they stand before its first statement."""
    first = code.co_firstlineno
    body = min((line for *_, line in code.co_lines() if line and line > first), default=first + 1)
    return range(first, body)


def _is_guarded(value: Any) -> bool:
    """Whether a function is guarded, or wraps a guarded one, as far as can be seen."""
    return _is(value, FunctionType) and hasattr(value, MARK)


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
        if _is(value, functools.partial | functools.partialmethod):
            value = value.func
        elif type(value) in (MethodType, staticmethod, classmethod):
            value = value.__func__
        elif _is(value, FunctionType):
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


def _parts(value: Any) -> Iterator[Any]:
    if _is(value, staticmethod | classmethod):
        yield value.__func__
    elif _is(value, property):
        yield from (part for part in (value.fget, value.fset, value.fdel) if part)
    elif _is(value, FunctionType):
        yield value


def _walk(places: Iterable[object], deep: int = 5) -> Iterator[tuple[str, Any]]:
    """Yield what stands in modules, classes and registries, each with its name.

    What is more than `deep` steps away is not looked into.
    """
    seen: set[int] = set()
    # Breadth first: what is met at several depths is looked into from the least one.
    queue: deque[tuple[str, Any, int]] = deque((_name(place), place, 0) for place in places)
    while queue:
        name, value, depth = queue.popleft()
        if type(value) in _ATOMS:
            continue
        yield name, value
        if id(value) in seen or depth > deep:
            continue
        seen.add(id(value))
        queue.extend((f"{name}{label}", inner, depth + 1) for label, inner in _inside(value, depth))


def _inside(value: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if (_is(value, ModuleType) and depth == 0) or (_is(value, type) and depth <= 2):
        yield from ((f".{name}", inner) for name, inner in list(vars(value).items()))
    elif _is(value, staticmethod | classmethod | property):
        yield from (("", part) for part in _parts(value))
    elif _is(value, functools.partial):
        yield "", value.func
    elif _is(value, Mapping):
        yield from _entries(value)
    elif _is(value, _COLLECTIONS):
        yield from ((f"[{place}]", inner) for place, inner in enumerate(list(value)))
    elif not _is(value, FunctionType) or depth <= 2:
        yield from _attributes(value)
        yield from () if _is(value, FunctionType) else _slots(value)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds, such as an application that routes were registered with."""
    try:
        held = list(object.__getattribute__(value, "__dict__").items())
    except Exception:  # noqa: BLE001 - many have none, and a stand-in for another object may raise
        held = []
    yield from ((f".{name}", inner) for name, inner in held if name != "__wrapped__")


def _slots(value: Any) -> Iterator[tuple[str, Any]]:
    for kind in type(value).__mro__:
        for name, member in vars(kind).items():
            if type(member) is MemberDescriptorType and not name.startswith("__"):
                try:
                    yield f".{name}", member.__get__(value)
                except AttributeError:
                    continue


def _entries(value: Mapping[Any, Any]) -> Iterator[tuple[str, Any]]:
    try:
        entries = list(value.items())
    except Exception:  # noqa: BLE001 - somebody else's mapping may do anything
        return
    for key, inner in entries:
        label = key if type(key) is str and key.isidentifier() else type(key).__name__
        yield f"[{label}]", inner
        yield f"[{label}]", key


def _name(place: object) -> str:
    return str(
        getattr(place, "__qualname__", None)
        or getattr(place, "__name__", None)
        or type(place).__name__
    )
