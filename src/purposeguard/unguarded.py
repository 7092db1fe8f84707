"""Finding raw functions that stand behind guarded ones."""

import functools
import gc
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
_PARTIALS = (functools.partial, functools.partialmethod)
_COLLECTIONS = (list, tuple, set, frozenset, deque, KeysView, ValuesView, ItemsView)
"""What is looked into. Other collections may do work when they are read."""
_ATOMS = frozenset({str, bytes, int, float, bool, type(None)})
"""What most of what is looked through is, and what leads nowhere."""


_ROLES: tuple[tuple[str, Any], ...] = (
    ("module", ModuleType),
    ("type", type),
    ("parts", (staticmethod, classmethod, property)),
    ("partial", functools.partial),
    ("mapping", Mapping),
    ("collection", _COLLECTIONS),
    ("function", FunctionType),
    ("object", object),
)
"""How each kind of object is looked into: the first that fits."""
_CALLED = (
    FunctionType,
    MethodType,
    staticmethod,
    classmethod,
    *_PARTIALS,
    functools.cached_property,
)
"""What a function may stand in, besides the caches that wrap one."""


class _Kind:
    """What has to be known of a type to look into its objects: found out once for each."""

    __slots__ = ("called", "role", "slots")

    def __init__(self, kind: type) -> None:
        self.role = next(role for role, kinds in _ROLES if issubclass(kind, kinds))
        self.called = issubclass(kind, _CALLED) or hasattr(kind, "cache_info")
        self.slots = [
            (f".{name}", member)
            for each in kind.__mro__
            for name, member in vars(each).items()
            if type(member) is MemberDescriptorType and not name.startswith("__")
        ]


class _Kinds(dict[type, _Kind]):
    """The kinds that were met."""

    def __missing__(self, kind: type) -> _Kind:
        found = self[kind] = _Kind(kind)
        return found


Place = tuple[Any, str]
"""The place around a place, or None, and the label of this one in it."""


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
    # Looking makes many small objects and no garbage: collecting would take half of the time.
    collects = gc.isenabled()
    gc.disable()
    try:
        return _found(places, guarded_at, modules)
    finally:
        if collects:
            gc.enable()


def _found(
    places: tuple[object, ...], guarded_at: Sites, modules: Iterable[ModuleType] | None
) -> list[Unguarded]:
    kinds = _Kinds()
    if modules is None:
        modules = [module for module in list(sys.modules.values()) if _is(module, ModuleType)]
        everywhere = list(_walk(modules, kinds))
    else:
        everywhere = list(_walk(modules, kinds, deep=1))
    looked = list(_walk(places, kinds)) if places else everywhere
    raws = {
        function
        for _, value in (*everywhere, *looked)
        if _is(value, FunctionType) and is_guarded(value)
        for function in _raws(value)
    }
    found = {
        Unguarded(_written(place), why): None
        for place, value in looked
        if kinds[type(value)].called
        for why in _faults(value, raws, guarded_at)
    }
    classes = {id(value): value for _, value in looked if kinds[type(value)].role == "type"}
    for each in classes.values():
        found.update(dict.fromkeys(_overrides(each)))
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
        if _is(value, _PARTIALS):
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


def _walk(places: Iterable[object], kinds: _Kinds, deep: int = 5) -> Iterator[tuple[Place, Any]]:
    """Yield what stands in modules, classes and registries, each with its place.

    What is more than `deep` steps away is not looked into.
    """
    seen: set[int] = set()
    # Breadth first: what is met at several depths is looked into from the least one.
    queue: deque[tuple[Place, Any, int]] = deque(
        ((None, _name(place)), place, 0) for place in places
    )
    while queue:
        place, value, depth = queue.popleft()
        yield place, value
        if id(value) in seen or depth > deep:
            continue
        seen.add(id(value))
        for label, inner in _inside(value, depth, kinds[type(value)]):
            if type(inner) not in _ATOMS:
                queue.append(((place, label), inner, depth + 1))


def _written(place: Place | None) -> str:
    """Return a place as one finds it: the names on the way, one after the other."""
    labels = []
    while place is not None:
        place, label = place
        labels.append(label)
    return "".join(reversed(labels))


def _inside(value: Any, depth: int, kind: _Kind) -> Iterator[tuple[str, Any]]:
    role = kind.role
    if (role == "module" and depth == 0) or (role == "type" and depth <= 2):
        for name, inner in list(vars(value).items()):
            yield f".{name}", inner
    elif role == "parts":
        for part in _parts(value):
            yield "", part
    elif role == "partial":
        yield "", value.func
    elif role == "mapping":
        yield from _entries(value)
    elif role == "collection":
        for place, inner in enumerate(list(value)):
            yield f"[{place}]", inner
    elif role != "function" or depth <= 2:
        yield from _attributes(value)
        yield from () if role == "function" else _slots(value, kind)


def _attributes(value: Any) -> Iterator[tuple[str, Any]]:
    """What an object holds, such as an application that routes were registered with."""
    try:
        held = list(object.__getattribute__(value, "__dict__").items())
    except Exception:  # noqa: BLE001 - many have none, and a stand-in for another object may raise
        held = []
    yield from ((f".{name}", inner) for name, inner in held if name != "__wrapped__")


def _slots(value: Any, kind: _Kind) -> Iterator[tuple[str, Any]]:
    for label, member in kind.slots:
        try:
            yield label, member.__get__(value)
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
