"""The moves of `scope_model.Model` made for real: contexts, threads, tasks, generators, forks."""

import asyncio
import contextlib
import contextvars
import itertools
import os
import pickle
import traceback
import types
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.trace import TracerProvider
from scope_model import CELLS, POLICY, BoomError, Spec

from purposeguard import Guard
from purposeguard.exceptions import AccessDeniedError, PurposeGuardError
from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.matrix import compile_document

MATRIX, _ = compile_document(PolicyDocument.model_validate(POLICY))
LOOP = asyncio.new_event_loop()
THREADS = [ThreadPoolExecutor(1) for _ in range(2)]
INLINE, THREAD, TASK = range(3)


class Records(list[Any]):
    """An outlet that keeps each record."""

    def record(self, record: Any) -> None:
        self.append(record)

    def plain(self, start: int) -> list[tuple[str, str]]:
        """Return them from a place on, as the model has them."""
        return [
            (each.category if each.category in CELLS else "?", str(each.reason))
            for each in self[start:]
        ]


class Tools:
    """A guard, and what code under test has decorated with it."""

    def __init__(self, *, enforce: bool, traced: bool) -> None:
        self.enforce = enforce
        provider = TracerProvider(shutdown_on_exit=False) if traced else None
        mode = "enforce" if enforce else "observe"
        quiet = LoggerProvider(shutdown_on_exit=False)
        self.guard = guard = Guard(
            MATRIX, mode=mode, tracer_provider=provider, logger_provider=quiet
        )
        self.read = {key: guard.access(key)(lambda: None) for key in ("k", "l")}
        self.read_soon = {key: guard.access(key)(nothing) for key in ("k", "l")}
        self.holders = {key: holder(guard, key)() for key in ("k", "l")}

    def decorated(self, spec: Spec, function: Any) -> Any:
        """Return the function under an access, a purpose, or both in one."""
        if spec.category is None:
            return self.guard.purpose(spec.purpose, root=spec.root)(function)
        return self.guard.access(spec.category, purpose=spec.purpose)(function)


async def nothing() -> None:
    """Do nothing, asynchronously."""


def holder(guard: Guard, category: str) -> type:
    """Return a class with a guarded property."""

    class Holder:
        @property
        @guard.access(category)
        def value(self) -> None:
            return None

    return Holder


def by_hand(awaitable: Any) -> Any:
    """Run something awaitable that never waits."""
    try:
        awaitable.__await__().send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("it waits")


class World:
    """Does the moves of the model for real and answers with what was observed."""

    def __init__(self, tools: Tools, specs: tuple[Spec, ...], records: Records) -> None:
        self.tools = tools
        self.records = records
        self.guard = tools.guard
        self.scopes = [self._scope(spec) for spec in specs]
        self.contexts: list[tuple[int, contextvars.Context]] = [(INLINE, contextvars.Context())]
        self.stepped: list[Any] = []
        self.carried: list[Any] = []
        self.kinds = itertools.cycle((THREAD, TASK, INLINE))
        self.in_child = False
        self.seen: list[str] = []
        self.raised: list[Any] = []

    def _scope(self, spec: Spec) -> Any:
        if spec.category is not None:
            return self.guard.access(spec.category, purpose=spec.purpose)
        return self.guard.purpose(spec.purpose, root=spec.root)

    def at(self, context: int, move: Any, *given: Any) -> list[str]:
        """Do a move in a context, where its kind says, and return what was observed."""
        self.seen = []
        kind, inside = self.contexts[context]

        def do() -> None:
            try:
                move(*given)
            except PurposeGuardError as error:
                self.refused(error)
            except BoomError:
                self.seen.append("boom")

        async def do_soon() -> None:
            do()

        if self.in_child or kind == INLINE or move in (self.start, self.finish):
            inside.run(do)
        elif kind == THREAD:
            THREADS[context % 2].submit(inside.run, do).result()
        else:
            LOOP.run_until_complete(LOOP.create_task(do_soon(), context=inside))
        return self.seen

    def probe(self, category: str, how: int = 0) -> None:
        try:
            if how == 0:
                self.tools.read[category]()
            elif how == 1:
                self.guard.check(category)
            elif how == 2:
                with self.guard.access(category):
                    pass
            elif how == 3:
                _ = self.tools.holders[category].value
            else:
                by_hand(self.tools.read_soon[category]())
        except PurposeGuardError as error:
            self.refused(error)
        else:
            self.seen.append("went through")

    def refused(self, error: PurposeGuardError) -> None:
        """Note an error of the guard's own."""
        denied = isinstance(error, AccessDeniedError)
        self.seen.append(str(error.decision.reason) if denied else type(error).__name__)
        self.raised.append((type(error).__name__, len(self.records)))

    def enter(self, scope: int, how: int = 0) -> None:
        if how:
            by_hand(self.scopes[scope].__aenter__())
        else:
            self.scopes[scope].__enter__()

    def leave(self, scope: int, how: int = 0) -> None:
        if how:
            by_hand(self.scopes[scope].__aexit__(None, None, None))
        else:
            self.scopes[scope].__exit__(None, None, None)

    def copy(self) -> None:
        self.contexts.append((next(self.kinds), contextvars.copy_context()))

    def fresh(self) -> None:
        self.contexts.append((next(self.kinds), contextvars.Context()))

    # Generators and what else runs in steps.

    def call_stepped(self, spec: Spec, kind: str) -> None:
        def steps() -> Any:
            while True:
                self.probe("k")
                yield

        async def steps_soon() -> Any:
            while True:
                self.probe("k")
                yield

        def lazily() -> Any:
            self.copy()
            self.probe("k")
            return steps()

        if kind == "carried generator":
            self.stepped.append(self.guard.carry(steps()))
            return
        function = {"generator": steps, "async generator": steps_soon, "lazy": lazily}[kind]
        self.stepped.append(self.tools.decorated(spec, function)())

    def step(self, which: int) -> None:
        made = self.stepped[which]
        try:
            if isinstance(made, types.AsyncGeneratorType):
                by_hand(made.asend(None))
            elif made is None:
                self.seen.append("over")
            else:
                next(made)
        except (StopIteration, StopAsyncIteration):
            self.seen.append("over")

    def end(self, which: int, how: int = 0) -> None:
        made, self.stepped[which] = self.stepped[which], None
        if isinstance(made, types.AsyncGeneratorType):
            by_hand(made.aclose())
        elif made is not None and how == 0:
            made.close()
        elif made is not None and how == 1:
            with contextlib.suppress(BoomError):
                made.throw(BoomError)

    def start(self, spec: Spec) -> None:
        self.stepped.append(None)
        gate = asyncio.Event()

        async def work() -> str:
            self.probe("k")
            await gate.wait()
            self.probe("k")
            return "result"

        inside = contextvars.copy_context()
        task = LOOP.create_task(self.tools.decorated(spec, work)(), context=inside)
        LOOP.run_until_complete(asyncio.sleep(0))
        if task.done():
            task.result()
        self.stepped[-1] = (task, gate)

    def finish(self, which: int, how: int) -> None:
        if self.stepped[which] is None:
            self.seen.append("over")
            return
        (task, gate), self.stepped[which] = self.stepped[which], None
        if how:
            task.cancel()
        else:
            gate.set()
        try:
            self.seen.append(LOOP.run_until_complete(task))
        except asyncio.CancelledError:
            self.seen.append("cancelled")

    # Handing over.

    def carry(self) -> None:
        self.carried.append(self.guard.carry(lambda inner: inner()))

    def call_carried(self, which: int, inner: Any) -> None:
        self.carried[which](inner)

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
        elif kind == "block":
            for _ in "x":
                with self.scopes[given[0]]:
                    inner()
                    if ending == 2:
                        break
        elif kind == "manager":
            with managed(self.scopes[given[0]]):
                inner()
        elif kind == "in generator":
            next(straight(self.scopes[given[0]], inner))
        elif kind == "carry":
            self.guard.carry(inner)()
        else:
            self._called(*given, inner, ending)

    def _called(self, purpose: str, root: bool, inner: Any, ending: int) -> None:
        decorate = self.guard.purpose(purpose, root=root)
        if ending == 0:
            decorate(inner)()
            return
        if ending == 1:

            async def soon() -> None:
                inner()

            by_hand(decorate(soon)())
            return

        @decorate
        def steps() -> Any:
            yield
            inner()
            yield

        for n, _ in enumerate(steps()):
            if n == 1:
                break

    # Forks.

    def forked(self) -> None:
        """Go on as the child: there are no other threads here, and no loop of its own."""
        self.in_child = True

    def tidy(self) -> None:
        """Leave nothing running."""
        for made in self.stepped:
            if isinstance(made, types.AsyncGeneratorType):
                by_hand(made.aclose())
            elif isinstance(made, tuple) and not made[0].done():
                made[0].cancel()
                LOOP.run_until_complete(asyncio.gather(made[0], return_exceptions=True))


@contextlib.contextmanager
def managed(scope: Any) -> Any:
    """Hold a block open for as long as contextlib drives this generator."""
    with scope:
        yield


def straight(scope: Any, inner: Any) -> Any:
    """Open a block in a generator that nobody special drives."""
    with scope:
        inner()
    yield


def in_child(work: Any) -> Any:
    """Return what `work` returns in a forked child."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # from 3.12 on, for our own threads
        child = os.fork()
    if child == 0:
        try:
            answer = work()
        except BaseException:  # noqa: BLE001 - the parent tells it
            answer = traceback.format_exc()
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(answer, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pickle.load(pipe)
    os.waitpid(child, 0)
    if isinstance(answer, str):
        raise AssertionError(answer)
    return answer
