"""Measuring: interleaved rounds, medians, and ratios taken within a round."""

import contextvars
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from time import thread_time_ns
from typing import Literal, NamedTuple

MIB = 1024 * 1024


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    milliseconds: float
    """Of one case in one round."""
    interpreters: int
    """Fresh ones for each import that is timed."""
    accesses: int
    """While memory is watched; as many denials come on top."""
    records: int
    """In the ledger that is reported on."""


SIZES = {
    "tiny": Size(rounds=1, milliseconds=0.01, interpreters=1, accesses=200, records=200),
    "default": Size(
        rounds=80, milliseconds=4, interpreters=15, accesses=1_000_000, records=200_000
    ),
    "full": Size(
        rounds=400, milliseconds=4, interpreters=51, accesses=10_000_000, records=10_000_000
    ),
}


class Figure(NamedTuple):
    """One line of the table."""

    what: str
    value: float
    unit: str
    ratio: float | None = None
    budget: str = ""
    """The number of the budget that it is measured for; empty for what has none."""
    at_most: float | None = None
    of: Literal["ratio", "value"] = "ratio"
    """Which of the two the budget is for."""

    @property
    def missed(self) -> bool:
        measured = self.ratio if self.of == "ratio" else self.value
        return self.at_most is not None and measured is not None and measured > self.at_most


class Case(NamedTuple):
    """Something to time: `call` does `steps` of it at once, in a context of its own."""

    what: str
    call: Callable[[], object]
    context: contextvars.Context
    steps: int = 1
    budget: str = ""
    at_most: float | None = None


class Timing(NamedTuple):
    """What one step of a case took in each round."""

    rounds: Sequence[float]

    @property
    def microseconds(self) -> float:
        return median(self.rounds)

    def over(self, base: "Timing") -> float:
        """Return how many times the base's this is: the median of the ratios within a round."""
        return median(mine / its for mine, its in zip(self.rounds, base.rounds, strict=True))


def interleaved(
    cases: Sequence[Case], size: Size, clock: Callable[[], int] = thread_time_ns
) -> list[Timing]:
    """Time the cases in turn, round after round: A B C A B C.

    What is timed is this thread's processor time, or that of `clock`, so that a neighbour on the
    machine disturbs little. The cyclic garbage collector stays on.
    """
    counts = [_count_for(case, size.milliseconds, clock) for case in cases]
    rounds = [
        [
            case.context.run(_timed, case.call, count, clock) / count / case.steps / 1000
            for case, count in zip(cases, counts, strict=True)
        ]
        for _ in range(size.rounds)
    ]
    return [Timing(each) for each in zip(*rounds, strict=True)]


def figures(cases: Sequence[Case], size: Size) -> Iterable[Figure]:
    """Time the cases and return them as lines of the table, as ratios to the first one."""
    timings = interleaved(cases, size)
    for case, timing in zip(cases, timings, strict=True):
        ratio = timing.over(timings[0])
        yield Figure(case.what, timing.microseconds, "µs", ratio, case.budget, case.at_most)


def _count_for(case: Case, milliseconds: float, clock: Callable[[], int]) -> int:
    """How many calls of a case take about that long. Calling them warms every cache, too."""
    count = 1
    least = milliseconds * 250_000
    while (spent := case.context.run(_timed, case.call, count, clock)) < least:
        count *= 2
    return max(1, round(count * milliseconds * 1_000_000 / spent))


def _timed(call: Callable[[], object], count: int, clock: Callable[[], int]) -> int:
    times = range(count)
    start = clock()
    for _ in times:
        call()
    return clock() - start
