"""Every kind of thing that can be guarded, each a function from a guard to a call for the data."""

import abc
import asyncio
import contextlib
import dataclasses
import enum
import functools
import inspect
import operator
import types
import typing

import pydantic
import pytest
import wrapt
from hazard_kit import DATA, loader


def loader_of_one(guard):
    """Return a guarded function of one argument."""

    @guard.access("candidate")
    def load(_):
        return DATA

    return load


def plain_function(guard):
    return loader(guard)


def function_under_another_decorator(guard):
    load = loader(guard)

    @functools.wraps(load)
    def logged():
        return load()

    return logged


def function_over_another_decorator(guard):
    def raw():
        return DATA

    return guard.access("candidate")(functools.wraps(raw)(lambda: raw()))  # noqa: PLW0108 - a wrapper


def function_decorated_by_wrapt(guard):
    @wrapt.decorator
    def passes_on(wrapped, instance, args, kwargs):
        return wrapped(*args, **kwargs)

    return guard.access("candidate")(passes_on(lambda: DATA))


def partial_of_a_guarded_function(guard):
    return functools.partial(loader_of_one(guard), None)


def guarded_partial(guard):
    return guard.access("candidate")(functools.partial(lambda data: data, DATA))


def guarded_partial_method(guard):
    class Store:
        def load(self, data):
            return data

        full = guard.access("candidate")(functools.partialmethod(load, DATA))

    return Store().full


def guarded_bound_method(guard):
    return guard.access("candidate")([DATA].pop)


def guarded_builtin(guard):
    load = guard.access("candidate")(max)
    return lambda: load([DATA])


def guarded_c_method(guard):
    class Name(str):
        __slots__ = ()
        strip = guard.access("candidate")(str.strip)

    return Name(f" {DATA} ").strip


def callable_object(guard):
    class Load:
        def __call__(self):
            return DATA

    return guard.access("candidate")(Load())


def callable_object_with_a_guarded_call(guard):
    class Load:
        @guard.access("candidate")
        def __call__(self):
            return DATA

    return Load()


class Methods:
    """Builds classes whose `load` is guarded in every way that a class body allows."""

    @staticmethod
    def method(guard):
        class Store:
            @guard.access("candidate")
            def load(self):
                return DATA

        return Store().load

    @staticmethod
    def static_method(guard):
        class Store:
            @guard.access("candidate")
            @staticmethod
            def load():
                return DATA

        return Store.load

    @staticmethod
    def static_method_on_top(guard):
        class Store:
            @staticmethod
            @guard.access("candidate")
            def load():
                return DATA

        return Store().load

    @staticmethod
    def class_method(guard):
        class Store:
            @guard.access("candidate")
            @classmethod
            def load(cls):
                return DATA if cls is Store else None

        return Store.load

    @staticmethod
    def class_method_on_top(guard):
        class Store:
            @classmethod
            @guard.access("candidate")
            def load(cls):
                return DATA if cls is Store else None

        return Store().load

    @staticmethod
    def property_read(guard):
        class Store:
            @guard.access("candidate")
            @property
            def load(self):
                return DATA

        return lambda: Store().load

    @staticmethod
    def property_on_top(guard):
        class Store:
            @property
            @guard.access("candidate")
            def load(self):
                return DATA

        return lambda: operator.attrgetter("load")(Store())

    @staticmethod
    def property_write_and_delete(guard):
        class Store:
            def _touch(self, *_):
                return None

            load = guard.access("candidate")(property(_touch, _touch, _touch))

        def use():
            Store().load = 1
            del Store().load
            return DATA

        return use

    @staticmethod
    def abstract_method(guard):
        class Base(abc.ABC):
            @guard.access("candidate")
            @abc.abstractmethod
            def load(self):
                return DATA

        with pytest.raises(TypeError):
            Base()

        class Store(Base):
            def load(self):
                return super().load()

        return Store().load

    @staticmethod
    def enum_method(guard):
        class Store(enum.Enum):
            ONE = DATA

            @guard.access("candidate")
            def load(self):
                return self.value

        assert [*Store] == [Store.ONE]
        return Store.ONE.load

    @staticmethod
    def named_tuple_method(guard):
        class Store(typing.NamedTuple):
            data: str

            @guard.access("candidate")
            def load(self):
                return self.data

        return Store(DATA).load

    @staticmethod
    def protocol_method(guard):
        @typing.runtime_checkable
        class Loads(typing.Protocol):
            @guard.access("candidate")
            def load(self):
                return DATA

        class Store(Loads):
            pass

        assert isinstance(Store(), Loads)
        return Store().load

    @staticmethod
    def dataclass_method(guard):
        @dataclasses.dataclass(frozen=True, slots=True)
        class Store:
            data: str = DATA

            @guard.access("candidate")
            def load(self):
                return self.data

        return Store().load

    @staticmethod
    def pydantic_method(guard):
        class Store(pydantic.BaseModel):
            @guard.access("candidate")
            def load(self):
                return DATA

            @guard.access("candidate")
            @classmethod
            def of(cls):
                return cls()

        assert [*Store.model_fields] == []
        return Store().load

    @staticmethod
    def pydantic_computed_field(guard):
        class Store(pydantic.BaseModel):
            @pydantic.computed_field
            @guard.access("candidate")
            @property
            def load(self) -> str:
                return DATA

        return lambda: Store().model_dump()["load"]

    @staticmethod
    def item_access(guard):
        class Store:
            @guard.access("candidate")
            def __getitem__(self, _):
                return DATA

        return lambda: Store()[0]

    @staticmethod
    def iteration(guard):
        class Store:
            @guard.access("candidate")
            def __iter__(self):
                yield DATA

        return lambda: next(iter(Store()))

    @staticmethod
    def metaclass_method(guard):
        class Meta(type):
            @guard.access("candidate")
            def load(cls):
                return DATA

        return Meta("Store", (), {}).load


def coroutine_function(guard):
    @guard.access("candidate")
    async def load():
        await asyncio.sleep(0)
        return DATA

    assert inspect.iscoroutinefunction(load)
    return lambda: asyncio.run(load())


def callable_object_with_an_async_call(guard):
    class Load:
        async def __call__(self):
            return DATA

    load = guard.access("candidate")(Load())
    assert inspect.iscoroutinefunction(load)
    return lambda: asyncio.run(load())


def generator_based_coroutine(guard):
    @guard.access("candidate")
    @types.coroutine
    def load():
        yield from asyncio.sleep(0).__await__()
        return DATA

    async def use():
        return await load()

    return lambda: asyncio.run(use())


def generator_function(guard):
    @guard.access("candidate")
    def load():
        yield DATA

    assert inspect.isgeneratorfunction(load)
    return lambda: next(load())


def generator_return_value(guard):
    @guard.access("candidate")
    def load():
        yield
        return DATA

    def use():
        generator = load()
        next(generator)
        try:
            next(generator)
        except StopIteration as stop:
            return stop.value

    return use


def yield_from(guard):
    @guard.access("candidate")
    def load():
        yield
        return DATA

    def outer():
        yield (yield from load())

    return lambda: [*outer()][1]


def async_generator_function(guard):
    @guard.access("candidate")
    async def load():
        await asyncio.sleep(0)
        yield DATA

    async def use():
        return await anext(load())

    assert inspect.isasyncgenfunction(load)
    return lambda: asyncio.run(use())


def context_manager(guard):
    @contextlib.contextmanager
    @guard.access("candidate")
    def session():
        yield DATA

    def use():
        with session() as data:
            return data

    return use


def async_context_manager(guard):
    @contextlib.asynccontextmanager
    @guard.access("candidate")
    async def session():
        yield DATA

    async def use():
        async with session() as data:
            return data

    return lambda: asyncio.run(use())


def exit_callback(guard):
    load, got = loader(guard), []

    def use():
        with contextlib.ExitStack() as stack:
            stack.callback(lambda: got.append(load()))
        return got.pop()

    return use


def with_block(guard):
    def use():
        with guard.access("candidate"):
            return DATA

    return use


def async_with_block(guard):
    async def use():
        async with guard.access("candidate"):
            return DATA

    return lambda: asyncio.run(use())


def plain_check(guard):
    return lambda: guard.check("candidate") and DATA


KINDS = [
    plain_function,
    function_under_another_decorator,
    function_over_another_decorator,
    function_decorated_by_wrapt,
    partial_of_a_guarded_function,
    guarded_partial,
    guarded_partial_method,
    guarded_builtin,
    guarded_c_method,
    callable_object,
    callable_object_with_a_guarded_call,
    *(build for build in vars(Methods).values() if isinstance(build, staticmethod)),
    coroutine_function,
    callable_object_with_an_async_call,
    generator_based_coroutine,
    generator_function,
    generator_return_value,
    yield_from,
    async_generator_function,
    context_manager,
    async_context_manager,
    exit_callback,
    with_block,
    async_with_block,
    plain_check,
]
