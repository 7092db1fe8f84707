"""Random programs over scopes: whole numbers, read as moves of a model and of the world."""

import gc
import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from hypothesis import strategies as st
from scope_model import UNKNOWN_CATEGORY, WRONG_TYPE, Model, Spec
from scope_world import Records, Tools, World, in_child

SPECS = (
    Spec("a"),
    Spec("a.b"),
    Spec("d"),
    Spec("e"),
    Spec("a", root=True),
    Spec("d", root=True),
    Spec(None, "k"),
    Spec("a.b", "l"),
    Spec("a.c", "k"),
    Spec("a.nope"),
    Spec(WRONG_TYPE, root=True),
    Spec("a", UNKNOWN_CATEGORY),
    Spec(None, WRONG_TYPE),
    Spec("nope", "k"),
)
STEPPED = (Spec("a"), Spec("a.b", "k"), Spec(None, "k"), Spec(None, "l"), Spec("e", "l"))
KINDS = ("generator", "async generator", "lazy", "coroutine", "carried generator")
MOVES = (
    "probe", "probe", "probe", "enter", "enter", "enter", "leave", "leave", "copy", "copy",
    "fresh", "call", "call", "step", "step", "step", "end", "carry", "carried", "nest", "nest",
    "nest", "fork",
)  # fmt: skip
LAYERS = ("block", "block", "call", "call", "carry", "manager", "leave", "in generator")

RARELY = 12
"""One fork in so many that programs ask for is made: they take as long as all the rest."""
IN_CHILD = 12
"""How many moves a forked child makes."""

programs = st.lists(st.integers(0, 2**24 - 1), min_size=12, max_size=50)


class Numbers:
    """Takes small numbers off the program, each line of which is one whole number."""

    def __init__(self, program: list[int]) -> None:
        self._lines = iter(program)
        self._left = 0

    def line(self) -> bool:
        """Go on to the next line. False at the end."""
        self._left = next(self._lines, -1)
        return self._left >= 0

    def below(self, limit: int) -> int:
        """Take a number from 0 up to a limit."""
        self._left, taken = divmod(self._left, limit)
        return taken

    def of(self, choices: Any) -> Any:
        """Take one of the choices."""
        return choices[self.below(len(choices))]


class Step(NamedTuple):
    """One move, with what the model and the world observed."""

    move: str
    expected: Any
    observed: Any

    def words(self) -> Iterator[str]:
        """Yield the move's name, and what was observed, in words."""
        yield self.move.partition("(")[0]
        if self.move != "fork":
            yield from (each if type(each) is str else each[1] for each in self.observed)


class Both:
    """A model and a world that make the same moves."""

    def __init__(self, tools: Tools, records: Records | None) -> None:
        self.model = Model(SPECS, enforce=tools.enforce)
        self.recorded = records is not None
        self.world = World(tools, SPECS, Records() if records is None else records)
        self.told = 0

    def do(self, context: int, name: str, *given: Any) -> Step:
        """Make one move in one context, on both sides."""
        sides = []
        for side in (self.model, self.world):
            inside = {"inside": lambda side=side: inside_carried(side)}
            filled = [inside.get(each, each) if type(each) is str else each for each in given]
            seen: list[Any] = list(side.at(context, getattr(side, name), *filled))
            sides.append(seen)
        if self.recorded:
            sides[0] += self.model.records[self.told :]
            sides[1] += self.world.records.plain(self.told)
            self.told = len(self.model.records)
        return Step(f"{name}{given} at {context}", *sides)


def inside_carried(side: Any) -> None:
    """Run as the body of a carried call."""
    side.probe("k")
    side.copy()
    side.probe("l")


class Run:
    """One run of a program. Going through it makes the moves and yields each with what was seen.

    Records are compared too where a list for them is given. `raised` has the guard's own errors,
    each with how many records there were when it was raised.
    """

    def __init__(self, program: list[int], tools: Tools, records: Records | None = None) -> None:
        self._program = program
        self._tools = tools
        self._records = records
        self._both = Both(tools, records)
        self.raised = self._both.world.raised

    def __iter__(self) -> Iterator[Step]:
        outlets = () if self._records is None else (self._records,)
        self._tools.guard._exchange(lambda state: replace(state, outlets=outlets))
        # CPython 3.11 may collect in the middle of `ContextVar.set`, and crashes where a generator
        # that is collected there sets the same variable.
        gc.disable()
        try:
            yield from moves(self._both, Numbers(self._program), forks=1)
        finally:
            self._both.world.tidy()
            gc.collect(0)
            gc.enable()

    def difference(self) -> list[Step]:
        """Return the moves up to the first one that differs, or nothing."""
        steps: list[Step] = []
        for step in self:
            steps.append(step)
            if step.expected != step.observed:
                return steps
        return []


def some(many: int) -> Iterator[list[int]]:
    """Yield that many programs, the same ones each time."""
    for number in range(many):
        chance = random.Random(number)
        yield [chance.randrange(2**24) for _ in range(chance.randrange(5, 45))]


def moves(both: Both, numbers: Numbers, forks: int) -> Iterator[Step]:
    """Yield each move of the program once it has been made."""
    while numbers.line():
        kind = numbers.of(MOVES)
        if kind == "fork":
            if forks and numbers.below(RARELY) == 0:
                forks = 0
                yield fork(both, numbers)
            continue
        context = numbers.below(len(both.model.stacks))
        move = chosen(both, numbers, kind)
        if move is not None:
            yield both.do(context, *move)


def fork(both: Both, numbers: Numbers) -> Step:
    """Make the next moves in a forked child, and then once more here."""

    def go_on() -> list[Step]:
        both.model.forked()
        both.world.forked()
        return [tuple(step) for step in islice(moves(both, numbers, forks=0), IN_CHILD)]

    steps = in_child(go_on)
    return Step(
        "fork",
        [(move, expected) for move, expected, _ in steps],
        [(move, observed) for move, _, observed in steps],
    )


def chosen(both: Both, numbers: Numbers, kind: str) -> tuple[Any, ...] | None:
    """Return the move and its arguments, or None where there is nothing to make it with."""
    model, in_a_child = both.model, both.world.in_child
    if kind == "probe":
        return kind, numbers.of("kl"), numbers.below(5)
    if kind in ("enter", "leave"):
        return kind, numbers.below(len(SPECS)), numbers.below(2)
    if kind == "call":
        spec, sort = numbers.of(STEPPED), numbers.of(KINDS)
        if sort != "coroutine":
            return "call_stepped", spec, sort
        return None if in_a_child else ("start", spec)
    if kind in ("step", "end"):
        if not model.stepped:
            return None
        which = numbers.below(len(model.stepped))
        if model.stepped[which].kind == "coroutine":
            return None if in_a_child else ("finish", which, int(kind == "end"))
        return (kind, which) if kind == "step" else (kind, which, numbers.below(3))
    if kind == "carried":
        if not model.carried:
            return None
        return "call_carried", numbers.below(len(model.carried)), "inside"
    if kind == "nest":
        leak, ending = numbers.below(2) == 0, numbers.below(3)
        return kind, [layer(numbers) for _ in range(1 + numbers.below(3))], leak, ending
    return (kind,)


def layer(numbers: Numbers) -> tuple[Any, ...]:
    """Return one layer of a nest: a block, a call, or something else to be inside of."""
    kind = numbers.of(LAYERS)
    if kind == "call":
        return kind, numbers.of(("a", "a.b", "d")), numbers.below(3) == 0
    return (kind,) if kind == "carry" else (kind, numbers.below(len(SPECS)))
