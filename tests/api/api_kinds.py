"""Callables of every kind, raw and guarded, in a module of their own: pickle finds them by name.

Annotations are postponed, and one of them names a type that is imported for type checkers only.
"""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, ClassVar, TypeVar

from pydantic import BaseModel, computed_field, field_validator

from purposeguard import Guard, bundled_policy

if TYPE_CHECKING:
    from decimal import Decimal

T = TypeVar("T")

PURPOSE = "recruitment.selection"
guard = Guard(bundled_policy("smarthr"))
access = guard.access("candidate", items=["name"])
purpose = guard.purpose(PURPOSE)


@dataclass
class Person:
    """What the functions hand out."""

    name: str


def function(
    number: int, /, name: Annotated[str, "a tag"] = "Ada", *rest: int, loud: bool = False, **more: T
) -> Person | None:
    """Return a person."""
    return Person(f"{name} {number} {rest} {loud} {sorted(more)}")


async def coroutine(number: int, *, name: str = "Ada") -> Person:
    """Return a person later."""
    return Person(f"{name} {number}")


def generator(number: int, *, name: str = "Ada") -> Iterator[Person]:
    """Yield people."""
    for each in range(number):
        yield Person(f"{name} {each}")


async def async_generator(number: int, *, name: str = "Ada") -> AsyncIterator[Person]:
    """Yield people later."""
    for each in range(number):
        yield Person(f"{name} {each}")


def awaitable(number: int) -> Awaitable[Person]:
    """Return a person later, without being a coroutine function."""
    return coroutine(number)


async def given(*, number: int, label: str) -> Person:
    """Return a person later."""
    return Person(f"{label} {number}")


class Callable:
    """Callable objects."""

    def __call__(self, number: int, name: str = "Ada") -> Person:
        """Return a person."""
        return Person(f"{name} {number}")


class AsyncCallable:
    """Callable objects that return a coroutine."""

    async def __call__(self, number: int, name: str = "Ada") -> Person:
        """Return a person later."""
        return Person(f"{name} {number}")


RAW = {
    "function": function,
    "coroutine": coroutine,
    "generator": generator,
    "async_generator": async_generator,
    "awaitable": awaitable,
    "lambda": lambda number, name="Ada": Person(f"{name} {number}"),
    "builtin": sorted,
    "partial": functools.partial(function, 7, loud=True),
    "async_partial": functools.partial(given, label="Ada"),
    "callable": Callable(),
    "async_callable": AsyncCallable(),
}


@purpose
@access
def by_name(number: int) -> Person:
    """Return a person: this one is found by its name."""
    return Person(f"Ada {number}")


@purpose
@access
async def by_name_later(number: int) -> Person:
    """Return a person later: this one is found by its name."""
    return Person(f"Ada {number}")


@purpose
@access
def by_name_each(number: int) -> Iterator[Person]:
    """Yield people: this one is found by its name."""
    yield Person(f"Ada {number}")


@access
def unresolved(amount: Decimal) -> None:
    """Take a type that only type checkers import."""


class Store:
    """Methods of every kind."""

    made: ClassVar[int] = 7

    def __init__(self) -> None:
        self._name = "Ada"

    @access
    def method(self, number: int, *, loud: bool = False) -> Person:
        """Return a person."""
        return Person(f"{self._name} {number} {loud}")

    @access
    async def later(self, number: int) -> Person:
        """Return a person later."""
        return Person(f"{self._name} {number}")

    @access
    def each(self, number: int) -> Iterator[Person]:
        """Yield a person."""
        yield Person(f"{self._name} {number}")

    @access
    @classmethod
    def above_class(cls, number: int) -> Person:
        """Return a person of the class."""
        return Person(f"{cls.made} {number}")

    @classmethod
    @access
    def below_class(cls, number: int) -> Person:
        """Return a person of the class."""
        return Person(f"{cls.made} {number}")

    @access
    @staticmethod
    def above_static(number: int) -> Person:
        """Return a person of nobody."""
        return Person(f"Ada {number}")

    @staticmethod
    @access
    def below_static(number: int) -> Person:
        """Return a person of nobody."""
        return Person(f"Ada {number}")

    @access
    @property
    def above_property(self) -> str:
        """The name."""
        return self._name

    @above_property.setter
    def above_property(self, name: str) -> None:
        self._name = name

    @property
    @access
    def below_property(self) -> str:
        """The name."""
        return self._name

    @access
    def __getitem__(self, key: int) -> Person:
        """Return a person by number."""
        return Person(f"{self._name} {key}")

    @access
    def __iter__(self) -> Iterator[Person]:
        """Yield a person."""
        yield Person(self._name)

    partial = access(functools.partialmethod(method, 7, loud=True))


@dataclass(slots=True)
class Record:
    """A dataclass with guarded methods."""

    name: str
    tags: list[str] = field(default_factory=list)

    @access
    def greeting(self, word: str = "hello") -> str:
        """Greet."""
        return f"{word} {self.name}"

    @property
    @access
    def initial(self) -> str:
        """The first letter."""
        return self.name[0]


class Model(BaseModel):
    """A pydantic model with guarded methods."""

    name: str
    age: int = 7

    @field_validator("name")
    @classmethod
    @access
    def tidy(cls, value: str) -> str:
        """Trim the name."""
        return value.strip()

    @access
    def greeting(self, word: str = "hello") -> str:
        """Greet."""
        return f"{word} {self.name}"

    @computed_field
    @property
    @access
    def initial(self) -> str:
        """The first letter."""
        return self.name[0]
