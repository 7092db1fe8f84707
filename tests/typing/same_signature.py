"""Checked, never run: each pair of lines must reveal the same type, raw and guarded."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Callable, Generator
from typing import TypeVar, overload, reveal_type

from purposeguard import Guard

S = TypeVar("S")

guard = Guard()
access = guard.access("candidate", items=["name"])
purpose = guard.purpose("recruitment.selection")
both = guard.access("candidate", purpose="recruitment.selection")


def function(number: int, /, name: str = "", *rest: int, loud: bool, **more: float) -> str | None:
    return None


async def coroutine(number: int, *, name: str = "") -> list[str]:
    return []


def generator(number: int) -> Generator[int, str, bytes]:
    yield number
    return b""


async def async_generator(number: int) -> AsyncIterator[int]:
    yield number


def generic(value: S, others: list[S]) -> dict[str, S]:
    return {}


@overload
def overloaded(value: int) -> bytes: ...
@overload
def overloaded(value: str) -> float: ...
def overloaded(value: int | str) -> bytes | float:
    return 0.5


class Callee:
    def __call__(self, number: int) -> str:
        return ""


partial = functools.partial(function, 7, loud=True)
callee = Callee()


reveal_type(function)
reveal_type(access(function))

reveal_type(function)
reveal_type(purpose(function))

reveal_type(function)
reveal_type(both(function))

reveal_type(function)
reveal_type(purpose(access(guard.access("visitor")(function))))

reveal_type(coroutine)
reveal_type(access(coroutine))

reveal_type(generator)
reveal_type(access(generator))

reveal_type(async_generator)
reveal_type(access(async_generator))

reveal_type(overloaded)
reveal_type(access(overloaded))

reveal_type(partial)
reveal_type(access(partial))

reveal_type(callee)
reveal_type(access(callee))

reveal_type(function)
reveal_type(guard.carry(function))

reveal_type(generator(7))
reveal_type(guard.carry(generator(7)))


@access
def guarded_generic(value: S, others: list[S]) -> dict[str, S]:
    return {}


reveal_type(generic(7, []))
reveal_type(guarded_generic(7, []))


class Raw:
    def method(self, number: int, *, loud: bool = False) -> str:
        return ""

    async def later(self, number: int) -> str:
        return ""

    def each(self) -> Generator[int, None, None]:
        yield 7

    @classmethod
    def made(cls, number: int) -> str:
        return ""

    @staticmethod
    def alone(number: int) -> str:
        return ""

    @property
    def name(self) -> str:
        return ""

    @name.setter
    def name(self, value: str) -> None: ...


class Guarded:
    @access
    def method(self, number: int, *, loud: bool = False) -> str:
        return ""

    @access
    async def later(self, number: int) -> str:
        return ""

    @access
    def each(self) -> Generator[int, None, None]:
        yield 7

    @access
    @classmethod
    def made(cls, number: int) -> str:
        return ""

    @access
    @staticmethod
    def alone(number: int) -> str:
        return ""

    @property
    @access
    def name(self) -> str:
        return ""

    @name.setter
    @access
    def name(self, value: str) -> None: ...


class GuardedBelow:
    @classmethod
    @access
    def made(cls, number: int) -> str:
        return ""

    @staticmethod
    @access
    def alone(number: int) -> str:
        return ""


raw, guarded, below = Raw(), Guarded(), GuardedBelow()

reveal_type(raw.method)
reveal_type(guarded.method)

reveal_type(raw.later)
reveal_type(guarded.later)

reveal_type(raw.each)
reveal_type(guarded.each)

reveal_type(raw.made)
reveal_type(guarded.made)

reveal_type(Raw.made)
reveal_type(Guarded.made)

reveal_type(raw.made)
reveal_type(below.made)

reveal_type(raw.alone)
reveal_type(guarded.alone)

reveal_type(raw.alone)
reveal_type(below.alone)

reveal_type(raw.name)
reveal_type(guarded.name)


def of_a_parameter(some: Callable[[int], str]) -> None:
    reveal_type(some)
    reveal_type(access(some))
