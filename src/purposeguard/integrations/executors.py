"""Threads: a pool that hands the purposes in force over to what it is given."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from purposeguard.guard import Guard

P = ParamSpec("P")
T = TypeVar("T")


class CarryingExecutor(ThreadPoolExecutor):
    """A `ThreadPoolExecutor` whose work runs for the purposes in force where it was submitted.

    `options` are a `ThreadPoolExecutor`'s. Also for `loop.run_in_executor` and, as a loop's default
    executor, for all that goes there: so what is submitted from a dead chain runs as well, and an
    access in it is a gap.
    """

    def __init__(self, guard: Guard, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._guard = guard

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """Hand work over, with the purposes in force here."""
        dead = self._guard.purposes_in_force() is None
        return super().submit(fn if dead else self._guard.carry(fn), *args, **kwargs)
