"""Budget 1: deciding, beside a dict lookup behind the same call."""

import random
from collections.abc import Iterator, Sequence

from opentelemetry.context import attach, get_current, set_value

from benchmarks.measuring import Case, Figure, Size, figures, interleaved
from benchmarks.setting import categories, guard_for, inside, policy, purposes
from purposeguard.points import AccessPoint, Names, Site
from purposeguard.policy.access import Access
from purposeguard.policy.names import parents
from purposeguard.scope import EMPTY, Chain, Lease, chain_in

SIZES = ((7, 45, 34), (50, 400, 1_000), (500, 4_000, 20_000))
"""Categories, purposes, grants."""

PAIRS = 64
"""Pairs of access point and scope that take turns, so that no one answer stays in a register."""


class Table:
    """The floor: a dict of cells, the hierarchy expanded, behind one method call."""

    def __init__(self, cells: dict[tuple[str, str], bool]) -> None:
        self._cells = cells

    def decide(self, category: str, purpose: str) -> bool:
        return self._cells.get((category, purpose), False)


class Matrix:
    """One size of matrix, with pairs of category and purpose of each answer."""

    def __init__(self, rows: int, columns: int, grants: int) -> None:
        self.guard = guard_for(policy(rows, columns, grants))
        granted = {
            (category, purpose)
            for category, row in policy(rows, columns, grants).rows.items()
            for purpose in row.cells
        }
        every = [
            (category, purpose)
            for category in categories(rows)[:PAIRS]
            for purpose in purposes(columns)
        ]
        inherited = [
            (category, purpose)
            for category, purpose in every
            if any((category, parent) in granted for parent in parents(purpose))
        ]
        self.table = Table(dict.fromkeys([*granted, *inherited], True))
        taken = random.Random(1).choices
        self.pairs = {
            "granted": taken(sorted(granted), k=PAIRS),
            "granted by a parent": taken(inherited, k=PAIRS),
            "denied": taken(sorted({*every} - granted - {*inherited}), k=PAIRS),
        }

    def prepared(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[AccessPoint, Chain]]:
        """Return an access point and a scope for each pair, the answer prepared."""
        hub = self.guard._hub
        points = {
            category: AccessPoint(Names(category), Site("load", "load.py", 1), hub.tally)
            for category, _ in pairs
        }
        ready = []
        for category, purpose in pairs:
            chain = EMPTY.push(Lease(purpose))
            points[category].answer(hub.state, chain)
            ready.append((points[category], chain))
        return ready


def decisions(size: Size) -> Iterator[Figure]:
    """Measure each answer at each size, then whether size matters, then what surrounds it."""
    matrices = [Matrix(*sizes) for sizes in SIZES]
    for answer in matrices[0].pairs:
        cases = [
            case for each in matrices for case in (_lookups(each, answer), _decisions(each, answer))
        ]
        timings = interleaved(cases, size)
        floors, ours = timings[::2], timings[1::2]
        for (rows, columns, _), floor, timing in zip(SIZES, floors, ours, strict=True):
            what = f"decide, {answer}, {rows} x {columns}"
            yield Figure(what, timing.microseconds, "µs", timing.over(floor), "1", 1.5)
        largest = ours[-1]
        what = f"decide, {answer}, largest matrix to smallest"
        yield Figure(what, largest.microseconds, "µs", largest.over(ours[0]), "1", 1.4)
    yield from _surroundings(matrices[-1], size)


def _lookups(matrix: Matrix, answer: str) -> Case:
    pairs = matrix.pairs[answer]
    table = matrix.table

    def call() -> None:
        for category, purpose in pairs:
            table.decide(category, purpose)

    return Case("dict lookup behind a call", call, inside(), PAIRS)


def _decisions(matrix: Matrix, answer: str) -> Case:
    ready = matrix.prepared(matrix.pairs[answer])
    state = matrix.guard._hub.state

    def call() -> None:
        for point, chain in ready:
            chain.prepared(state, point.cache)

    return Case("decide", call, inside(), PAIRS)


def _surroundings(matrix: Matrix, size: Size) -> Iterator[Figure]:
    """The same with the scope taken out of the context, and the answer that is not prepared."""
    guard, table = matrix.guard, matrix.table
    hub = guard._hub
    category, purpose = matrix.pairs["granted"][0]
    ((point, chain),) = matrix.prepared([(category, purpose)])
    deeper = chain.push(Lease(purpose))
    point.answer(hub.state, deeper)
    here = inside(guard.purpose(purpose))
    here.run(lambda: attach(set_value("purpose", purpose)))
    access = Access(category, purposes=(purpose,))
    yield from figures(
        [
            Case("dict lookup", lambda: table.decide(category, purpose), here),
            Case("decide", lambda: chain.prepared(hub.state, point.cache), here),
            Case("decide, two scopes deep", lambda: deeper.prepared(hub.state, point.cache), here),
        ],
        size,
    )
    yield from figures(
        [
            Case(
                "dict lookup, the purpose read from the context",
                lambda: table.decide(category, get_current().get("purpose")),
                here,
            ),
            Case(
                "decide, the scope read from the context",
                lambda: chain_in(get_current(), hub.key).prepared(hub.state, point.cache),
                here,
            ),
            Case("`guard.decide(Access(…))`, nothing prepared", lambda: guard.decide(access), here),
        ],
        size,
    )
