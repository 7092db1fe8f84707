"""What is declared where: a model of scopes, written apart from the code and sharing none of it.

An execution context is a stack of frames, outermost first. Each frame says what is in force on top
of it: pairs of a lease's number and its purpose. Leases that have ended are in one set. `Model`
offers the same moves as `scope_world.World`, and both answer with what was observed.
"""

from collections import defaultdict
from typing import Any, NamedTuple

POLICY = {
    "purposeguard": 1,
    "policy": "scopes",
    "version": "1",
    "purposes": {key: {"title": "p"} for key in ("a", "a.b", "a.c", "d", "e")},
    "categories": {key: {"title": "c", "items": ["i", "j"]} for key in ("k", "l")},
    "matrix": {
        "k": {"a": {"clauses": ["1"]}, "d": {"clauses": ["2"], "items": ["i"]}},
        "l": {"a.b": {"clauses": ["3"]}, "e": {"clauses": ["4"]}},
    },
    "prohibitions": [{"category": "l", "purpose": "d", "clauses": ["5"]}],
}
ANSWERS = {
    "k": {"a": "granted", "a.b": "granted", "a.c": "granted", "d": "item_excess"},
    "l": {"a.b": "granted", "e": "granted", "d": "prohibited"},
}
"""The answer to an access of all items under one purpose alone; what is not here is not granted."""
CELLS = {"k": ("a", "d"), "l": ("a.b", "e")}
WORST_FIRST = ("prohibited", "not_granted", "item_excess", "granted")


UNKNOWN_CATEGORY = "nope"
WRONG_TYPE = 7


class Spec(NamedTuple):
    """A scope object: a purpose, an access, or an access with a purpose of its own."""

    purpose: Any
    category: Any = None
    root: bool = False

    @property
    def proper(self) -> bool:
        """Whether the policy has its names."""
        return self.purpose in (None, *POLICY["purposes"]) and self.category in (None, *CELLS)


class Frame(NamedTuple):
    """One thing that is open in a context, and what is in force on top of it."""

    opener: object
    lease: int | None
    force: tuple[tuple[int, str], ...]


class RefusedError(Exception):
    """What the code under test would raise: a reason, or the name of an error."""


class BoomError(Exception):
    """The application's own error."""


class Stepped:
    """A generator, a coroutine or a carried object: what it keeps from its call to its end."""

    def __init__(
        self, kind: str, spec: Spec, call: tuple[Any, ...], leases: tuple[tuple[int, str], ...]
    ) -> None:
        self.kind = kind
        self.spec = spec
        self.call = call
        self.leases = leases
        self.last: object = None
        self.started = False
        self.over = False


def judge(category: str, purposes: list[str]) -> tuple[str, object]:
    """Return the reason, and the cells behind it."""
    if not all(each in POLICY["purposes"] for each in purposes):
        return "purpose_unknown", None
    counting = [p for p in purposes if not any(q.startswith(f"{p}.") for q in purposes)]
    answers = {p: ANSWERS[category].get(p, "not_granted") for p in counting}
    reason = min(answers.values(), key=WORST_FIRST.index)
    cells = {
        cell
        for purpose in counting
        for cell in CELLS[category]
        if answers[purpose] == reason and f"{purpose}.".startswith(f"{cell}.")
    }
    return reason, cells if reason in ("granted", "item_excess") else None


class Model:
    """The contexts of one process, and everything that was opened in them."""

    def __init__(self, specs: tuple[Spec, ...], *, enforce: bool) -> None:
        self.specs = specs
        self.enforce = enforce
        self.stacks: list[tuple[Frame, ...]] = [()]
        self.dead: set[int] = set()
        self.leases = 0
        self.opened: defaultdict[int, list[int]] = defaultdict(list)
        self.stepped: list[Stepped] = []
        self.carried: list[tuple[tuple[int, str], ...] | None] = []
        self.records: list[tuple[str, str]] = []
        self.now: tuple[Frame, ...] = ()
        self.seen: list[str] = []

    # What is in force, and what an access comes to.

    def force(self) -> tuple[tuple[int, str], ...]:
        return self.now[-1].force if self.now else ()

    def reason(self, category: Any, force: tuple[tuple[int, str], ...]) -> tuple[str, object]:
        if category == WRONG_TYPE:
            return "check_failed", None
        if category not in CELLS:
            return "category_unknown", None
        if not force:
            return "purpose_undeclared", None
        if any(lease in self.dead for lease, _ in force):
            return "purpose_closed", None
        return judge(category, [purpose for _, purpose in force])

    def access(self, category: Any, force: tuple[tuple[int, str], ...]) -> tuple[str, object]:
        """Record one access; it raises where it is denied and enforced."""
        answer = self.reason(category, force)
        self.records.append((category if category in CELLS else "?", answer[0]))
        self.admit(answer[0])
        return answer

    def admit(self, reason: str) -> None:
        if self.enforce and reason != "granted":
            raise RefusedError(reason)

    def new_lease(self, opener: object = None) -> int:
        self.leases += 1
        if isinstance(opener, int):
            self.opened[opener].append(self.leases)
        return self.leases

    def own(self, purpose: str | None) -> tuple[tuple[int, str], ...]:
        return () if purpose is None else ((self.new_lease(), purpose),)

    # Moves. Each runs in the context that `at` has made current.

    def at(self, context: int, move: Any, *given: Any) -> list[str]:
        """Do a move in a context, and return what was observed."""
        self.now = self.stacks[context]
        self.seen = []
        try:
            move(*given)
        except (RefusedError, BoomError) as error:
            self.seen.append(str(error) or "boom")
        self.stacks[context] = self.now
        return self.seen

    def probe(self, category: str, how: int = 0) -> None:
        """Make an access, and note what comes of it."""
        try:
            self.access(category, self.force())
        except RefusedError as error:
            self.seen.append(str(error))
        else:
            self.seen.append("went through")

    def enter(self, scope: int, how: int = 0, *, refused: bool = False) -> None:
        spec = self.specs[scope]
        below = () if spec.root else self.force()
        if refused or not spec.proper:
            if self.enforce:
                raise RefusedError("ScopeError" if refused else "UnknownNameError")
            if refused:
                below = ()
        lease = self.new_lease(scope)
        force = below if refused or spec.purpose is None else (*below, (lease, spec.purpose))
        if spec.category:
            category = spec.category
            if refused and category == WRONG_TYPE:
                category = UNKNOWN_CATEGORY  # a refused scope's names are not looked at again
            try:
                self.access(category, force)
            except RefusedError:
                self.dead.add(lease)
                raise
        self.now = (*self.now, Frame(scope, lease, force))

    def leave(self, scope: int, how: int = 0) -> None:
        mine = [n for n, frame in enumerate(self.now) if frame.opener == scope]
        alive = [n for n in mine if self.now[n].lease not in self.dead]
        if not mine:
            self.dead.update(self.opened[scope])
            return
        place = (alive or mine)[-1]
        if alive:
            self.dead.add(self.now[place].lease or 0)
        self.now = self.now[:place]

    def copy(self) -> None:
        self.stacks.append(self.now)

    def fresh(self) -> None:
        self.stacks.append(())

    # Generators and what else runs in steps.

    def call_stepped(self, spec: Spec, kind: str) -> None:
        call = self.force()
        if kind == "carried generator":
            self.carry()
            handed = self.carried.pop()
            leases = tuple((self.new_lease(), purpose) for _, purpose in handed or ())
            self.stepped.append(Stepped(kind, Spec(None), handed, leases))
            return
        made = Stepped(kind, spec, call, self.own(spec.purpose))
        inside = call + made.leases
        if kind == "lazy":
            before = self.now
            try:
                if spec.category:
                    made.last = self.access(spec.category, inside)
                self.now = (*self.now, Frame(None, None, inside))
                self.copy()
                self.probe("k")
            finally:
                self.now = before
        elif spec.category:
            answer = self.reason(spec.category, inside)
            if answer[0] != "granted":
                made.last = self.access(spec.category, inside)
        self.stepped.append(made)

    def step(self, which: int) -> None:
        made = self.stepped[which]
        if made.over:
            self.seen.append("over")
            return
        force = self.resume(made)
        before = self.now
        self.now = (*self.now, Frame(None, None, force))
        self.probe("k")
        self.now = before

    def resume(self, made: Stepped) -> tuple[tuple[int, str], ...]:
        """Judge a step in the consumer's context, and return what is in force inside it."""
        made.started = True
        if made.kind == "carried generator":
            return self.handed_over(made.call, made.leases)
        here, spec = self.force(), made.spec
        force = here + tuple(each for each in made.call if each not in here)
        if spec.purpose is None and not (here and made.call):
            force = ()
        force += made.leases
        if spec.category:
            answer = self.reason(spec.category, force)
            if answer != made.last:
                made.last = answer
                try:
                    self.access(spec.category, force)
                except RefusedError:
                    self.over(made)
                    raise
        return force

    def end(self, which: int, how: int = 0) -> None:
        """Close a generator, throw into it, which is a step as well, or drop it."""
        made = self.stepped[which]
        if how == 1 and made.started and not made.over and made.kind != "async generator":
            self.resume(made)
        self.over(made)

    def over(self, made: Stepped) -> None:
        made.over = True
        self.dead.update(lease for lease, _ in made.leases)

    def start(self, spec: Spec) -> None:
        """Run a coroutine function as a task up to its first wait."""
        leases = self.own(spec.purpose)
        force = self.force() + leases
        made = Stepped("coroutine", spec, force, leases)
        self.stepped.append(made)
        if spec.category:
            try:
                made.last = self.access(spec.category, force)[0]
            except RefusedError:
                made.over = True
                raise
        before = self.now
        self.now = (*self.now, Frame(None, None, force))
        self.probe("k")
        self.now = before

    def finish(self, which: int, how: int) -> None:
        """Let a coroutine go on to its end, or cancel its task."""
        made = self.stepped[which]
        if made.over:
            self.seen.append("over")
            return
        before = self.now
        self.now = (Frame(None, None, made.call),)
        if how:
            self.seen.append("cancelled")
        else:
            self.probe("k")
        self.now = before
        closed = bool(made.call) and any(lease in self.dead for lease, _ in made.call)
        self.over(made)
        if how:
            return
        if made.spec.category and closed and made.last != "purpose_closed":
            self.records.append((made.spec.category, "purpose_closed"))
            self.admit("purpose_closed")
        self.seen.append("result")

    # Handing over.

    def carry(self) -> None:
        force = self.force()
        if any(lease in self.dead for lease, _ in force):
            if self.enforce:
                raise RefusedError("ScopeError")
            self.carried.append(None)
            return
        self.carried.append(force)

    def handed_over(self, carried: Any, leases: Any) -> Any:
        """Return what is in force with new leases in place of the carried ones."""
        if carried is None:
            return ()
        return (*(each for each in self.force() if each not in carried), *leases)

    def call_carried(self, which: int, inner: Any) -> None:
        carried = self.carried[which]
        before = self.now
        leases = tuple((self.new_lease(), purpose) for _, purpose in carried or ())
        self.now = (*before, Frame(None, None, self.handed_over(carried, leases)))
        try:
            inner()
        finally:
            self.now = before
            self.dead.update(lease for lease, _ in leases)

    # Nested blocks and calls, left early or late.

    def nest(self, layers: list[tuple[Any, ...]], leak: bool, ending: int) -> None:
        if not layers:
            self.probe("k")
            if leak:
                self.copy()
            if ending == 1:
                raise BoomError
            return
        (kind, *given), rest = layers[0], layers[1:]

        def inner() -> None:
            self.nest(rest, leak, ending)

        if kind == "leave":
            self.leave(*given)
            inner()
        elif kind in ("block", "manager", "in generator"):
            self.enter(given[0], refused=kind == "in generator")
            try:
                inner()
            finally:
                self.leave(given[0])
        elif kind == "carry":
            self.carry()
            try:
                self.call_carried(-1, inner)
            finally:
                self.carried.pop()
        else:
            purpose, root = given
            before = self.now
            lease = self.new_lease()
            below = () if root else self.force()
            frame = Frame(None, lease, (*below, (lease, purpose)))
            self.now = (*before, frame)
            try:
                inner()
            finally:
                # A coroutine may end in another context, so it takes out itself and no more.
                if ending != 1 or frame in self.now:
                    self.now = before
                self.dead.add(lease)

    def forked(self) -> None:
        """Become the child of a fork: every lease of the parent is dead there."""
        self.dead.update(range(1, self.leases + 1))
