"""Random programs over scopes: lists of whole numbers, read as moves of a model and of the world."""

import copy
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from hypothesis import strategies as st

from scope_model import UNKNOWN_CATEGORY, WRONG_TYPE, Model, Spec
from scope_world import Records, Tools, World, in_child

PROPER = (
    Spec("a"),
    Spec("a.b"),
    Spec("d"),
    Spec("e"),
    Spec("a", root=True),
    Spec("d", root=True),
    Spec(None, "k"),
    Spec("a.b", "l"),
    Spec("a.c", "k"),
)
IMPROPER = (
    Spec("a.nope"),
    Spec(WRONG_TYPE, root=True),
    Spec("a", UNKNOWN_CATEGORY),
    Spec(None, WRONG_TYPE),
    Spec("nope", "k"),
)
STEPPED = (Spec("a"), Spec("a.b", "k"), Spec(None, "k"), Spec(None, "l"), Spec("e", "l"))
KINDS = ("generator", "async generator", "lazy", "coroutine")
MOVES = (
    "probe", "probe", "probe", "enter", "enter", "enter", "leave", "leave", "copy", "copy",
    "fresh", "call", "call", "step", "step", "step", "end", "carry", "carried", "nest", "nest",
    "nest", "fork",
)  # fmt: skip
LAYERS = ("block", "block", "call", "call", "carry", "manager", "leave", "in generator")

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


class Both:
    """A model and a world that make the same moves."""

    def __init__(self, tools: Tools, specs: tuple[Spec, ...]) -> None:
        self.model = Model(specs, enforce=tools.enforce)
        self.world = World(tools, specs)
        self.kinds: list[str] = []


class Step(NamedTuple):
    """One move, with what the model and the world observed."""

    move: str
    expected: Any
    observed: Any


def run(
    program: list[int], tools: Tools, *, improper: bool = False, recorded: bool = False
) -> Iterator[Step]:
    """Run a program and yield each move with what was observed."""
    both = Both(tools, PROPER + IMPROPER if improper else PROPER)
    records = Records()
    if recorded:
        capture(tools, records)
    try:
        for step in moves(both, Numbers(program), forks=1):
            yield step
            if recorded and step.move != "fork":
                yield Step("records", both.model.records, plain(records))
    finally:
        both.world.tidy()
        if recorded:
            capture(tools, None)


def capture(tools: Tools, records: Records | None) -> None:
    """Make the records the guard's one outlet, or take it away."""
    outlets = () if records is None else (records,)
    tools.guard._exchange(lambda state: copy.replace(state, outlets=outlets))


def plain(records: Records) -> list[Any]:
    """Return records with unknown categories as the model has them."""
    return list(records)


def moves(both: Both, numbers: Numbers, forks: int) -> Iterator[Step]:
    while numbers.line():
        kind = numbers.of(MOVES)
        if kind == "fork":
            if forks and numbers.below(4) == 0:
                forks -= 1
                yield fork(both, numbers)
            continue
        context = numbers.below(len(both.model.stacks))
        move = chosen(both, numbers, kind)
        if move is not None:
            yield do(both, context, *move)


def do(both: Both, context: int, name: str, *given: Any) -> Step:
    expected = list(both.model.at(context, getattr(both.model, name), *arguments(both.model, given)))
    observed = list(both.world.at(context, getattr(both.world, name), *arguments(both.world, given)))
    return Step(f"{name}{given} at {context}", expected, observed)


def arguments(side: Any, given: tuple[Any, ...]) -> Iterator[Any]:
    """Fill in what is different on each side: the body of a carried call."""
    for each in given:
        yield (lambda: inside_carried(side)) if each == "inside" else each


def inside_carried(side: Any) -> None:
    side.probe("k")
    side.copy()
    side.probe("l")


def chosen(both: Both, numbers: Numbers, kind: str) -> tuple[Any, ...] | None:
    """Return the move and its arguments."""
    model = both.model
    many = len(model.specs)
    if kind == "probe":
        return kind, numbers.of("kl"), numbers.below(5)
    if kind in ("enter", "leave"):
        return kind, numbers.below(many), numbers.below(2)
    if kind == "call":
        spec, sort = numbers.of(STEPPED), numbers.of(KINDS)
        if sort == "coroutine":
            if both.world.in_child:
                return None
            both.kinds = kinds_with(both, sort)
            return "start", spec
        both.kinds = kinds_with(both, sort)
        return "call_stepped", spec, sort
    if kind in ("step", "end"):
        if not model.stepped:
            return None
        which = numbers.below(len(model.stepped))
        if kinds_with(both)[which] == "coroutine":
            return None if both.world.in_child else ("finish", which, int(kind == "end"))
        return (kind, which) if kind == "step" else (kind, which, numbers.below(3))
    if kind == "carried":
        if not model.carried:
            return None
        return "call_carried", numbers.below(len(model.carried)), "inside"
    if kind == "nest":
        leak, ending = numbers.below(2) == 0, numbers.below(3)
        layers = [layer(numbers, many) for _ in range(1 + numbers.below(3))]
        return kind, layers, leak, ending
    return (kind,)
