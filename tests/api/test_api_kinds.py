"""A guarded callable keeps its kind, signature, hints and docs, and is found by its name."""

import asyncio
import copy
import functools
import inspect
import pickle
import types
import typing
from decimal import Decimal

import api_kinds as kinds
import pytest
from pydantic import TypeAdapter, ValidationError, validate_call

from purposeguard import Guard, OutOfPurposeError, ScopeError, UndecidedAccessError
from purposeguard.testing import capture

guard = kinds.guard
WITH_PURPOSE = [kinds.by_name, kinds.by_name_later, kinds.by_name_each]


def decorated():
    """Every way to decorate: an access, a purpose, both at once, both stacked."""
    both = guard.access("candidate", items=["name"], purpose=kinds.PURPOSE)
    return {
        "access": kinds.access,
        "purpose": kinds.purpose,
        "both": both,
        "stacked": lambda target: kinds.purpose(kinds.access(target)),
    }


def finished(value):
    """Return what a call comes to: awaited, or run to its end."""
    if inspect.isawaitable(value):
        return asyncio.run(_awaited(value))
    if inspect.isasyncgen(value):
        return asyncio.run(_collected(value))
    return list(value) if inspect.isgenerator(value) else value


async def _awaited(value):
    return await value


async def _collected(value):
    return [each async for each in value]


@pytest.mark.parametrize("how", decorated())
@pytest.mark.parametrize("kind", kinds.RAW)
def test_a_guarded_callable_keeps_what_it_is(kind, how):
    """Signature, hints, name, module, docs and kind are those of the original."""
    raw = kinds.RAW[kind]
    guarded = decorated()[how](raw)
    base = raw.func if isinstance(raw, functools.partial) else raw
    assert inspect.isfunction(guarded)
    assert inspect.signature(guarded) == inspect.signature(raw)
    called = raw if inspect.isroutine(raw) or base is not raw else raw.__call__
    for asks in (
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        asyncio.iscoroutinefunction,
    ):
        assert asks(guarded) == asks(called), asks
    if inspect.isroutine(base):
        assert guarded.__name__ == base.__name__
        assert guarded.__qualname__ == base.__qualname__
        assert guarded.__module__ == base.__module__
        assert guarded.__doc__ == base.__doc__
    if inspect.isfunction(base):
        assert guarded.__annotations__ == base.__annotations__
        hints = typing.get_type_hints(base, include_extras=True)
        assert typing.get_type_hints(guarded, include_extras=True) == hints
    assert not hasattr(guarded, "__wrapped__")
    assert inspect.unwrap(guarded) is guarded


ARGUMENTS = {
    "function": ((7, "Ben", 8, 9), {"loud": True, "more": 1}),
    "builtin": (([3, 1, 2],), {"reverse": True}),
    "partial": ((), {"name": "Ben"}),
    "async_partial": ((), {"number": 7}),
}


@pytest.mark.parametrize("how", decorated())
@pytest.mark.parametrize("kind", kinds.RAW)
def test_a_guarded_callable_returns_what_the_raw_one_does(kind, how):
    """With the same arguments, under a purpose that is granted."""
    raw = kinds.RAW[kind]
    guarded = decorated()[how](raw)
    args, kwargs = ARGUMENTS.get(kind, ((2,), {}))
    with guard.purpose(kinds.PURPOSE):
        assert finished(guarded(*args, **kwargs)) == finished(raw(*args, **kwargs))


@pytest.mark.parametrize("kind", kinds.RAW)
def test_a_guarded_callable_is_refused_without_a_purpose(kind):
    """Whatever its kind, before the raw one is called."""
    args, kwargs = ARGUMENTS.get(kind, ((2,), {}))
    with pytest.raises(UndecidedAccessError):
        finished(kinds.access(kinds.RAW[kind])(*args, **kwargs))


@pytest.mark.parametrize("kind", ["function", "coroutine", "generator", "async_generator"])
def test_a_wrong_call_is_the_callers_error(kind):
    """A TypeError, as from the raw one, and never a swallowed argument."""
    guarded = kinds.purpose(kinds.access(kinds.RAW[kind]))
    with pytest.raises(TypeError):
        finished(guarded())


@pytest.mark.parametrize("guarded", WITH_PURPOSE)
def test_a_guarded_function_is_found_by_its_name(guarded):
    """Pickle and copy hand back the very function, so it travels to other processes guarded."""
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        assert pickle.loads(pickle.dumps(guarded, protocol)) is guarded
    assert copy.copy(guarded) is guarded
    assert copy.deepcopy(guarded) is guarded
    assert copy.deepcopy([guarded]) == [guarded]


def test_a_bound_guarded_method_pickles_with_its_object():
    """As methods do."""
    method = pickle.loads(pickle.dumps(kinds.Record("Ada").greeting))
    with guard.purpose(kinds.PURPOSE):
        assert method("hi") == "hi Ada"


def test_a_scope_object_copies_as_itself():
    """Its leases are found by the object, so a copy would lose them."""
    for scope in (kinds.access, kinds.purpose):
        assert copy.copy(scope) is scope
        assert copy.deepcopy([scope])[0] is scope


def test_a_guarded_function_compares_by_identity():
    """Two decorations are two functions; each may be a key."""
    first, second = kinds.access(kinds.function), kinds.access(kinds.function)
    assert first != second
    assert len({first, second, first}) == 2


# Methods.

STORE = kinds.Store()
USES = {
    "method": (lambda: STORE.method(1, loud=True), kinds.Person("Ada 1 True")),
    "unbound method": (lambda: kinds.Store.method(STORE, 1), kinds.Person("Ada 1 False")),
    "coroutine method": (lambda: STORE.later(1), kinds.Person("Ada 1")),
    "generator method": (lambda: STORE.each(1), [kinds.Person("Ada 1")]),
    "above classmethod": (lambda: kinds.Store.above_class(1), kinds.Person("7 1")),
    "below classmethod": (lambda: STORE.below_class(1), kinds.Person("7 1")),
    "above staticmethod": (lambda: kinds.Store.above_static(1), kinds.Person("Ada 1")),
    "below staticmethod": (lambda: STORE.below_static(1), kinds.Person("Ada 1")),
    "above property": (lambda: STORE.above_property, "Ada"),
    "below property": (lambda: STORE.below_property, "Ada"),
    "partial method": (STORE.partial, kinds.Person("Ada 7 True")),
    "indexing": (lambda: STORE[1], kinds.Person("Ada 1")),
    "iterating": (lambda: list(STORE), [kinds.Person("Ada")]),
}


@pytest.mark.parametrize("use", USES)
def test_methods_of_every_kind_are_guarded(use):
    """They work under the purpose, and are refused without one and under another."""
    call, expected = USES[use]
    with guard.purpose(kinds.PURPOSE):
        assert finished(call()) == expected
    with pytest.raises(UndecidedAccessError):
        finished(call())
    with guard.purpose("marketing.information"), pytest.raises(OutOfPurposeError):
        finished(call())


def test_methods_are_bound_and_described_as_ever():
    """A guarded method is a function on its class and a bound method on an object."""
    assert inspect.isfunction(kinds.Store.method)
    assert inspect.ismethod(STORE.method)
    assert (
        str(inspect.signature(STORE.method))
        == "(number: 'int', *, loud: 'bool' = False) -> 'Person'"
    )
    assert inspect.iscoroutinefunction(STORE.later)
    assert inspect.isgeneratorfunction(STORE.each)
    assert isinstance(vars(kinds.Store)["above_class"], classmethod)
    assert isinstance(vars(kinds.Store)["above_static"], staticmethod)
    assert kinds.Store.method.__doc__ == "Return a person."
    assert kinds.Store.method.__qualname__ == "Store.method"


def test_properties_are_rebuilt():
    """A plain property with the docs of the original; setters and later setters are its own."""
    for name in ("above_property", "below_property"):
        found = vars(kinds.Store)[name]
        assert type(found) is property
        assert found.__doc__ == "The name."
    store = kinds.Store()
    store.above_property = "Ben"
    with guard.purpose(kinds.PURPOSE):
        assert store.above_property == "Ben"

    class Guarded:
        def read(self):
            return "read"

        def write(self, value):
            self.value = value

        def delete(self):
            del self.value

        name = kinds.access(property(read, write, delete, "Its docs."))

    assert Guarded.name.__doc__ == "Its docs."
    for use in (
        lambda each: each.name,
        lambda each: setattr(each, "name", 1),
        lambda each: delattr(each, "name"),
    ):
        with pytest.raises(UndecidedAccessError):
            use(Guarded())


# Postponed annotations, dataclasses, pydantic.


def test_postponed_annotations_are_resolved_where_the_function_lives():
    """`get_type_hints` looks into the globals of the original's module."""
    hints = typing.get_type_hints(kinds.by_name)
    assert hints == {"number": int, "return": kinds.Person}
    assert typing.get_type_hints(kinds.Store.method)["return"] is kinds.Person
    assert typing.get_type_hints(vars(kinds.Store)["below_property"].fget) == {"return": str}


def test_a_type_that_is_imported_for_checkers_only_stays_postponed():
    """Decorating resolves nothing, and asking names the missing type as for the raw function."""
    assert kinds.unresolved.__annotations__["amount"] == "Decimal"
    with pytest.raises(NameError, match="Decimal"):
        typing.get_type_hints(kinds.unresolved)
    assert typing.get_type_hints(kinds.unresolved, localns={"Decimal": Decimal}) == {
        "amount": Decimal,
        "return": type(None),
    }


def test_a_dataclass_keeps_its_fields():
    """Guarded methods are no fields, also with slots."""
    record = kinds.Record("Ada")
    assert [each.name for each in record.__dataclass_fields__.values()] == ["name", "tags"]
    with guard.purpose(kinds.PURPOSE):
        assert (record.greeting("hi"), record.initial) == ("hi Ada", "A")
    with pytest.raises(UndecidedAccessError):
        record.greeting()


def test_a_pydantic_model_keeps_its_fields():
    """Guarded methods, validators and computed fields are what they were, and guarded."""
    assert set(kinds.Model.model_fields) == {"name", "age"}
    with guard.purpose(kinds.PURPOSE):
        model = kinds.Model(name=" Ada ")
        assert model.name == "Ada"
        assert model.greeting("hi") == "hi Ada"
        assert model.model_dump() == {"name": "Ada", "age": 7, "initial": "A"}
    with pytest.raises(UndecidedAccessError):
        kinds.Model(name="Ada")
    with pytest.raises(UndecidedAccessError):
        model.model_dump()
    assert kinds.Model.model_json_schema(mode="serialization")["properties"]["initial"]


def test_pydantic_validates_calls_of_guarded_functions():
    """`validate_call` and `TypeAdapter` read signature and hints, and call the guarded one."""
    checked = validate_call(kinds.by_name)
    assert checked("7") == kinds.Person("Ada 7")
    with pytest.raises(ValidationError):
        checked("seven")
    assert TypeAdapter(kinds.Person).validate_python({"name": "Ada"}) == kinds.Person("Ada")


# What can't be guarded whole.


class Singleton:
    """A class."""


@functools.singledispatch
def dispatching(value):
    """Dispatch."""


@pytest.mark.parametrize(
    ("target", "fix"),
    [
        (Singleton, "guard the methods and properties"),
        (functools.cached_property(lambda self: 7), "guard a plain property"),
        (dispatching, "guard each registered implementation"),
        (functools.singledispatchmethod(lambda self, value: 7), "guard each registered"),
        (7, "decorate a function, method or property"),
        ("text", "decorate a function, method or property"),
        (None, "decorate a function, method or property"),
    ],
)
@pytest.mark.parametrize("noun", [kinds.access, kinds.purpose])
def test_what_cannot_be_guarded_is_refused_with_the_fix(target, fix, noun):
    """When it is decorated, and nothing is left half guarded."""
    with pytest.raises(ScopeError, match=fix):
        noun(target)


def test_a_cache_below_the_guard_keeps_its_methods():
    """Every call is checked, the cache answers, and it can be looked at and cleared."""
    calls = []

    @kinds.access
    @functools.lru_cache
    def cached(number):
        calls.append(number)
        return number

    with guard.purpose(kinds.PURPOSE):
        assert (cached(1), cached(1)) == (1, 1)
    with pytest.raises(UndecidedAccessError):
        cached(1)
    assert calls == [1]
    assert cached.cache_info().hits == 1
    cached.cache_clear()
    assert cached.cache_info().hits == 0


def test_what_a_plain_function_returns_lazily_is_handled_like_its_own_kind():
    """A coroutine or generator object is one access, checked while it runs."""
    made = kinds.access(kinds.awaitable)
    with capture(guard) as records, guard.purpose(kinds.PURPOSE):
        assert finished(made(7)) == kinds.Person("Ada 7")
    assert len(records) == 1
    other = Guard(guard.policy)
    given = other.access("candidate", items=["name"])(lambda: (each for each in "ab"))
    with other.purpose(kinds.PURPOSE):
        lazy = given()
    with pytest.raises(UndecidedAccessError):
        next(lazy)


def test_a_guarded_generator_is_awaitable_only_if_the_raw_one_is():
    """Frameworks await what says that it can be awaited."""

    @types.coroutine
    def old_style(number):
        yield from asyncio.sleep(0).__await__()
        return number

    async def sum_up():
        return await kinds.access(old_style)(7)

    with guard.purpose(kinds.PURPOSE):
        assert not inspect.isawaitable(kinds.access(kinds.generator)(1))
        assert not inspect.iscoroutine(kinds.access(kinds.generator)(1))
        assert inspect.isawaitable(kinds.access(old_style)(1))
        assert asyncio.run(sum_up()) == 7
