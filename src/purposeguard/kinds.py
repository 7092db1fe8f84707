"""Guarding a callable of every kind without changing its kind.

A guarded function is a real function of the same kind that lives in the original's globals, so that
signature, hints, pickling and method binding work by themselves. It has no `__wrapped__`.

Calls pass through templates. A template holds the arguments of a call, so before anything is raised
through it, it lets go of them: a traceback must not hold personal data.
"""

import contextlib
import functools
import inspect
import sys
import types
import weakref
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextvars import copy_context
from types import AsyncGeneratorType, CoroutineType, FunctionType, GeneratorType
from typing import Any, NamedTuple

from purposeguard.collecting import by_the_collector
from purposeguard.exceptions import ScopeError
from purposeguard.stretch import Gate, Stretch

MARK = "__purposeguard__"
"""The attribute by which a guarded function is told from a raw one: its marks, outermost first."""

_CACHE_METHODS = ("cache_info", "cache_clear", "cache_parameters")
_DROPPED = frozenset({"__wrapped__", MARK})

_SHOWN = 3
"""How many ways into an object a message lists."""


class Mark(NamedTuple):
    """What one of a function's guards declares."""

    guard: str
    """The guard's key in the context."""
    purpose: str | None
    root: bool
    """Whether it starts a new chain."""


def guarded(target: Any, gate_for: Callable[[Any], Gate], mark: Mark) -> Any:
    """Return `target` with every call of it passing through a gate.

    `gate_for` makes the gate of one underlying callable. Descriptors are rebuilt around guarded
    functions. Raises ScopeError for what can't be guarded whole; the message says what can.
    """
    if isinstance(target, staticmethod | classmethod):
        return type(target)(guarded(target.__func__, gate_for, mark))
    if type(target) is property:
        parts = (target.fget, target.fset, target.fdel)
        read, write, delete = (part and guarded(part, gate_for, mark) for part in parts)
        return property(read, write, delete, target.__doc__)
    if isinstance(target, functools.partialmethod):
        inner = guarded(target.func, gate_for, mark)
        return functools.partialmethod(inner, *target.args, **target.keywords)
    _refuse_unguardable(target)
    function = passing(target, gate_for(target))
    setattr(function, MARK, (mark, *getattr(target, MARK, ())))
    return function


def is_guarded(function: FunctionType) -> bool:
    """Whether a function is itself a guarded one: `functools.wraps` copies the mark to others."""
    return hasattr(function, MARK) and function.__code__.co_filename == guarded.__code__.co_filename


def _refuse_unguardable(target: Any) -> None:
    kind = type(target).__name__
    if isinstance(target, type):
        raise ScopeError(
            f"`{target.__name__}` is a class, and objects can be made without calling it: "
            "guard the methods and properties that hand out its data"
        )
    if isinstance(target, functools.cached_property):
        raise ScopeError(
            "a cached property would hand its first answer to every later purpose: "
            "guard a plain property, or cache inside the guarded function"
        )
    if isinstance(target, functools.singledispatchmethod) or _is_singledispatch(target):
        raise ScopeError(
            "a dispatching function hands out its implementations unguarded: "
            "guard each registered implementation instead"
        )
    if not callable(target):
        below = "put the guard on the function itself, below the decorator that made it"
        fix = below if hasattr(target, "__get__") else "decorate a function, method or property"
        raise ScopeError(f"an object of type `{kind}` can't be guarded: {fix}")
    if _is_context_manager(target):
        raise ScopeError(
            "the body of a context manager runs after the call that makes it: "
            "put the guard on the generator itself, below `@contextmanager`"
        )
    others = _other_ways_in(target)
    if others:
        ways = ", ".join(f"`{name}`" for name in others[:_SHOWN])
        more = f" and {len(others) - _SHOWN} more" if len(others) > _SHOWN else ""
        raise ScopeError(
            f"an object of type `{kind}` can also be reached through {ways}{more}: "
            "put the guard on the function itself, below the decorator that made it"
        )


def _is_singledispatch(target: Any) -> bool:
    return isinstance(target, FunctionType) and {"dispatch", "registry"} <= vars(target).keys()


def _is_context_manager(target: Any) -> bool:
    if not isinstance(target, FunctionType):
        return False
    made = target.__globals__.get("__name__") == contextlib.__name__
    wrapped = getattr(target, "__wrapped__", None)
    return made and (inspect.isgeneratorfunction(wrapped) or inspect.isasyncgenfunction(wrapped))


def _other_ways_in(target: Any) -> list[str]:
    """Names under which a callable hands out further callables that would stay unguarded."""
    if isinstance(target, FunctionType):
        return sorted(
            name
            for name, value in vars(target).items()
            if callable(value) and name not in _DROPPED and not isinstance(value, type)
        )
    if inspect.isroutine(target) or isinstance(target, functools.partial) or _is_cache(target):
        return []
    return [name for name in dir(target) if not name.startswith("_") and _hands_out(target, name)]


def _hands_out(target: Any, name: str) -> bool:
    try:
        return callable(getattr(target, name, None))
    except Exception:  # noqa: BLE001 - somebody else's property may do anything
        return False


def _is_cache(target: Any) -> bool:
    return all(hasattr(target, name) for name in _CACHE_METHODS)


class _Opaque(functools.partial[Any]):
    """A callable without its repr, which may show data that is bound to it, in every traceback."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<guarded callable>"


def innermost(raw: Any) -> Any:
    """Return the callable that partials and wrappers stand around."""
    try:
        base = inspect.unwrap(raw)
        while isinstance(base, functools.partial):
            base = inspect.unwrap(base.func)
    except ValueError:  # wrappers that lead in a circle, or an object that has every attribute
        return raw
    return base


def passing(raw: Any, gate: Gate) -> Any:
    """Return a function of the same kind as `raw`, each call of which passes through the gate."""
    base = innermost(raw)
    asked = raw if inspect.isroutine(raw) or isinstance(raw, functools.partial) else raw.__call__
    called = raw if isinstance(raw, FunctionType) else _Opaque(raw)
    if inspect.iscoroutinefunction(asked):
        template, flag = _coroutine(called, gate), 0
    elif inspect.isgeneratorfunction(asked):
        template, flag = _stepped(called, gate, drive), inspect.CO_GENERATOR
    elif inspect.isasyncgenfunction(asked):
        template, flag = _stepped(called, gate, drive_async), inspect.CO_ASYNC_GENERATOR
    else:
        template, flag = _function(called, gate), 0
    # A generator's call must be judged at once, so its template is a plain function; the flag
    # lets inspect, and so every framework, still see the kind that it is.
    code = template.__code__.replace(co_flags=template.__code__.co_flags | flag)
    scope = getattr(base, "__globals__", None) or sys.modules[__name__].__dict__
    name = getattr(base, "__name__", type(raw).__name__)
    function = FunctionType(code, scope, name, None, template.__closure__)
    function.__module__ = getattr(base, "__module__", None) or type(raw).__module__
    function.__qualname__ = getattr(base, "__qualname__", name)
    function.__doc__ = raw.__doc__ if inspect.isroutine(raw) else getattr(base, "__doc__", None)
    _copy_hints(raw, base, function)
    for key, value in getattr(raw, "__dict__", {}).items():
        if key not in _DROPPED and isinstance(raw, FunctionType):
            setattr(function, key, value)
    if _is_cache(raw):
        for key in _CACHE_METHODS:
            setattr(function, key, getattr(raw, key))
    return function


def _copy_hints(raw: Any, base: Any, function: FunctionType) -> None:
    try:
        function.__signature__ = signature_of(raw)  # type: ignore[attr-defined]
    except (ValueError, TypeError):  # some builtins have none, and some objects a strange one
        pass
    for key in ("__annotations__", "__type_params__"):
        value = getattr(base, key, None)
        if value:
            setattr(function, key, value)


def signature_of(raw: Any) -> inspect.Signature:
    """Return the signature, with annotations as they are written where that can be had."""
    if sys.version_info >= (3, 14):
        import annotationlib  # noqa: PLC0415 - new in 3.14

        return inspect.signature(raw, annotation_format=annotationlib.Format.FORWARDREF)
    return inspect.signature(raw)


# The templates. They name nothing global: their code runs in the globals of what they guard.


def _function(raw: Callable[..., Any], gate: Gate) -> Any:
    pass_through, begin = gate.pass_through, gate.begin
    anything, kind_of, lazy = BaseException, type, _LAZY

    def call(*args: Any, **kwargs: Any) -> Any:
        stretch = pass_through() or begin(args, kwargs)
        if stretch.error is not None:
            del args, kwargs
            raise stretch.take_error()
        try:
            result = raw(*args, **kwargs)
        except anything:
            del args, kwargs
            stretch.end()
            raise
        if kind_of(result) in lazy:
            return lazy[kind_of(result)](result, stretch.go_on())
        stretch.end()
        return result

    return call


def _coroutine(raw: Callable[..., Coroutine[Any, Any, Any]], gate: Gate) -> Any:
    begin, anything = gate.begin, BaseException

    async def call(*args: Any, **kwargs: Any) -> Any:
        stretch = begin(args, kwargs, later=True)
        try:
            if stretch.waiting is not None:
                await stretch.ready()
        except anything:
            del args, kwargs
            raise
        if stretch.error is not None:
            del args, kwargs
            raise stretch.take_error()
        try:
            result = await raw(*args, **kwargs)
        except anything:
            del args, kwargs
            stretch.leave()
            raise
        stretch.settle()
        if stretch.error is not None:
            del args, kwargs, result
            raise stretch.take_error()
        return result

    return call


def _stepped(raw: Callable[..., Any], gate: Gate, driver: Callable[[Any, Stretch], Any]) -> Any:
    prepare, anything, observed = gate.prepare, BaseException, _returned(driver)
    later = driver is drive_async

    def call(*args: Any, **kwargs: Any) -> Any:
        stretch = prepare(args, kwargs, later)
        if stretch.error is not None:
            del args, kwargs
            raise stretch.take_error()
        stretch.make_current()  # a guard further in judges this call as well
        try:
            result = raw(*args, **kwargs)
        except anything:
            del args, kwargs
            stretch.end()
            raise
        stretch.suspend()
        if stretch.span is not None:  # of a denial that is only observed
            return observed(result, stretch)
        return driver(result, stretch)

    return call


def drive(generator: Any, stretch: Stretch) -> Any:
    """Return the generator with each of its steps inside the stretch."""
    awaitable = generator.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE
    step = _drive_awaitable if awaitable else _drive
    return _named(step(generator, stretch), generator)


def drive_async(generator: Any, stretch: Stretch) -> Any:
    """Return the async generator with each of its steps inside the stretch."""
    return _named(_drive_async(generator, stretch), generator)


def drive_coroutine(coroutine: Any, stretch: Stretch) -> Any:
    """Return the coroutine, run inside the stretch."""
    return _named(_drive_coroutine(coroutine, stretch), coroutine)


def _named(driver: Any, driven: Any) -> Any:
    driver.__name__ = driven.__name__
    driver.__qualname__ = driven.__qualname__
    return driver


def _drive(  # noqa: PLR0912 - every way in which a step can go
    generator: Any, stretch: Stretch
) -> Generator[Any, Any, Any]:
    sent: Any = None
    thrown: BaseException | None = None
    done = False
    try:
        while True:
            if not stretch.resume():
                raise stretch.take_error()
            try:
                if thrown is None:
                    value = generator.send(sent)
                else:
                    error, thrown = thrown, None
                    try:
                        value = generator.throw(error)
                    finally:
                        del error
            except StopIteration as stop:
                value, done = stop.value, True
            finally:
                sent = None
                stretch.suspend()
            if not stretch.holds():
                value = None
                raise stretch.take_error()
            if done:
                return value
            try:
                sent = yield value
            except GeneratorExit:
                value = None
                raise
            except BaseException as error:  # noqa: BLE001 - it belongs to the generator
                thrown = error
            value = None
    finally:
        if by_the_collector():
            copy_context().run(_close, generator, stretch)
        else:
            _close(generator, stretch)


def _close(generator: Any, stretch: Stretch) -> None:
    try:
        stretch.make_current()
        generator.close()
    finally:
        stretch.suspend()
        stretch.finish()


# `types.coroutine` marks the function that it is given, so it is given one of its own.
_drive_awaitable = types.coroutine(FunctionType(_drive.__code__, globals(), _drive.__name__))


async def _drive_async(  # noqa: PLR0912 - every way in which a step can go
    generator: Any, stretch: Stretch
) -> AsyncGenerator[Any, Any]:
    sent: Any = None
    thrown: BaseException | None = None
    begun = False
    stretch.later = True
    try:
        while True:
            goes_on = stretch.resume()
            if stretch.waiting is not None:
                await stretch.ready()
                goes_on = stretch.error is None
            if not goes_on:
                raise stretch.take_error()
            try:
                if thrown is None:
                    value = await (generator.asend(sent) if begun else _first_step(generator))
                    begun = True
                else:
                    error, thrown = thrown, None
                    try:
                        value = await generator.athrow(error)
                    finally:
                        del error
            except StopAsyncIteration:
                return
            finally:
                sent = None
                stretch.suspend_anywhere()
            if not stretch.holds():
                value = None
                raise stretch.take_error()
            try:
                sent = yield value
            except GeneratorExit:
                value = None
                raise
            except BaseException as error:  # noqa: BLE001 - it belongs to the generator
                thrown = error
            value = None
    finally:
        try:
            if not by_the_collector():  # which can't wait for anything
                stretch.make_current()
                await generator.aclose()
        finally:
            stretch.suspend_anywhere()
            stretch.finish()


def _first_step(generator: Any) -> Any:
    """Begin an async generator unknown to the event loop, which would close it out of scope."""
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return generator.asend(None)
    finally:
        sys.set_asyncgen_hooks(*hooks)


async def _drive_coroutine(coroutine: Any, stretch: Stretch) -> Any:
    stretch.later = True
    goes_on = stretch.resume()
    if stretch.waiting is not None:
        try:
            await stretch.ready()
        except BaseException:
            coroutine.close()
            raise
        goes_on = stretch.error is None
    if not goes_on:
        coroutine.close()
        raise stretch.take_error()
    try:
        result = await coroutine
    except BaseException:
        stretch.leave()
        raise
    stretch.settle()
    if stretch.error is not None:
        del result
        raise stretch.take_error()
    return result


def _returned(driver: Callable[[Any, Stretch], Any]) -> Callable[[Any, Stretch], Any]:
    """Return the driver for what a call returned: if it never starts, its stretch still ends."""

    def drive_returned(lazy: Any, stretch: Stretch) -> Any:
        driven = driver(lazy, stretch)
        weakref.finalize(driven, _forget, lazy, stretch).atexit = False
        return driven

    return drive_returned


def _forget(lazy: Any, stretch: Stretch) -> None:
    if not stretch.stepped:
        if not isinstance(lazy, AsyncGeneratorType):
            lazy.close()
        stretch.finish()


_LAZY: dict[type, Callable[[Any, Stretch], Any]] = {
    CoroutineType: _returned(drive_coroutine),
    GeneratorType: _returned(drive),
    AsyncGeneratorType: _returned(drive_async),
}
