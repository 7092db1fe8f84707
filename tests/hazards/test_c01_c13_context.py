"""C1 to C13: where Python carries a context on, copies it back, or leaves it behind."""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import copy
import pickle
import sys
import threading

import flask
import pytest
from hazard_kit import DATA, attack, collected, loader, new_guard, python, reason_of
from naive import BareSetGuard
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

from purposeguard import AccessDeniedError, ScopeError

# C1 to C4


@attack()
def test_c1_a_block_around_yield_leaks_into_the_consumer(guard):
    """A block written directly in a generator is refused: it would stay open while that waits."""
    load = loader(guard)

    def rows():
        with guard.purpose("hiring"):
            yield

    generator = rows()
    next(generator)
    return load()


def in_a_generator(scope):
    def rows():
        with scope:
            yield

    next(rows())


def in_an_async_generator(scope):
    async def rows():
        async with scope:
            yield

    asyncio.run(anext(rows()))


def with_a_plain_block_in_an_async_generator(scope):
    async def rows():
        await asyncio.sleep(0)
        with scope:
            yield

    asyncio.run(anext(rows()))


def entered_by_hand(scope):
    def rows():
        scope.__enter__()
        yield

    next(rows())


@pytest.mark.parametrize(
    "way",
    [
        in_a_generator,
        in_an_async_generator,
        with_a_plain_block_in_an_async_generator,
        entered_by_hand,
    ],
)
def test_c1_purpose_and_access_blocks_are_refused_in_every_generator(way):
    """The message says the fix, and `contextlib` and `across_yield` are the ways that are left."""
    guard = new_guard()
    for scope in (guard.purpose("hiring"), guard.access("candidate", purpose="hiring")):
        with pytest.raises(ScopeError, match=r"move it into a function, or decorate"):
            way(scope)
    assert reason_of(loader(guard)) == "purpose_undeclared"


def test_c1_blocks_that_contextlib_drives_are_allowed_and_end_with_it():
    """`@contextmanager` and `@asynccontextmanager` are how a block is put in a function."""
    guard = new_guard()
    load = loader(guard)

    @contextlib.contextmanager
    def selection():
        with guard.purpose("hiring"):
            yield

    @contextlib.asynccontextmanager
    async def selecting():
        await asyncio.sleep(0)
        async with guard.purpose("hiring"):
            yield

    async def use():
        async with selecting():
            assert load() == DATA
        return reason_of(load)

    with selection():
        assert load() == DATA
    assert reason_of(load) == "purpose_undeclared"
    assert asyncio.run(use()) == "purpose_undeclared"


def test_c1_limit_a_block_hidden_behind_another_context_manager_is_not_seen_in_a_generator():
    """The check looks at the calling frame: an ExitStack, or a manager of one's own, hides it."""
    guard = new_guard()
    load = loader(guard)

    @contextlib.contextmanager
    def selection():
        with guard.purpose("hiring"):
            yield

    def through_a_stack():
        with contextlib.ExitStack() as stack:
            stack.enter_context(guard.purpose("hiring"))
            yield

    def through_a_manager():
        with selection():
            yield

    for rows in (through_a_stack, through_a_manager):
        generator = rows()
        next(generator)
        assert load() == DATA
        generator.close()
        assert reason_of(load) == "purpose_undeclared"


def test_c2_an_abandoned_generator_leaves_no_purpose():
    """Between its steps a decorated generator declares nothing, and its end kills its lease."""
    guard = new_guard()
    load, kept = loader(guard), []

    @guard.purpose("hiring")
    def rows():
        kept.append(contextvars.copy_context())
        yield load()
        yield load()

    generator = rows()
    assert next(generator) == DATA
    assert reason_of(load) == "purpose_undeclared"
    assert kept[0].run(load) == DATA
    del generator
    collected()
    assert reason_of(lambda: kept[0].run(load)) == "purpose_closed"


@attack()
def test_c3_generators_that_end_in_another_order_than_they_began(guard):
    """Blocks in two interleaved generators would leave a stale purpose behind."""
    load = loader(guard)

    def rows():
        with guard.purpose("hiring"):
            yield

    first, second = rows(), rows()
    next(first)
    next(second)
    first.close()
    second.close()
    return load()


def test_c3_decorated_generators_interleave_and_keep_their_own_purpose():
    """Each step runs under its own generator's purpose, whichever ends first."""
    guard = new_guard()
    load = loader(guard)

    @guard.purpose("hiring")
    def good():
        for _ in range(3):
            yield load()

    @guard.purpose("ads")
    def bad():
        for _ in range(3):
            yield reason_of(load)

    first, second, third = good(), bad(), good()
    assert [next(each) for each in (first, second, third)] == [DATA, "not_granted", DATA]
    first.close()
    assert [next(second), next(third), next(second)] == ["not_granted", DATA, "not_granted"]
    second.close()
    assert next(third) == DATA
    assert reason_of(load) == "purpose_undeclared"


@attack()
async def test_c4_an_async_generator_left_by_break(guard):
    """What is left behind by `break` would keep its block open in the task."""
    load = loader(guard)

    async def rows():
        with guard.purpose("hiring"):
            yield

    generator = rows()
    async for _ in generator:
        break
    return load()


def test_c4_a_decorated_async_generator_may_be_closed_anywhere(caplog):
    """Closing or throwing in another task, or by the loop at its end, leaves and logs nothing."""
    guard = new_guard()
    load, cleaned, kept = loader(guard), [], []

    @guard.purpose("hiring")
    async def rows():
        try:
            yield load()
            yield load()
        finally:
            await asyncio.sleep(0)
            cleaned.append(load())

    async def left_by_break():
        async for _ in rows():
            break
        while not cleaned:
            await asyncio.sleep(0)
        return reason_of(load)

    async def left_open():
        kept.append(rows())
        await anext(kept[0])
        return reason_of(load)

    async def closed_elsewhere():
        generator = rows()
        await anext(generator)
        await asyncio.create_task(generator.aclose())
        return reason_of(load)

    async def thrown_at_elsewhere():
        generator = rows()
        await anext(generator)

        async def throw():
            with contextlib.suppress(LookupError):
                await generator.athrow(LookupError())

        await asyncio.create_task(throw())
        return reason_of(load)

    for ending in (left_by_break, left_open, closed_elsewhere, thrown_at_elsewhere):
        assert asyncio.run(ending()) == "purpose_undeclared"
    assert cleaned == [DATA] * 4
    assert not [record for record in caplog.records if record.name != "purposeguard"]


# C5


def carried(load):
    """Ways by which asyncio carries the context on."""

    async def run():
        async def work():
            return load()

        done = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lambda: done.set_result(load()))
        async with asyncio.TaskGroup() as group:
            in_group = group.create_task(work())
        return [
            await asyncio.to_thread(load),
            await asyncio.create_task(work()),
            in_group.result(),
            await done,
        ]

    return asyncio.run(run())


def test_c5_tasks_and_to_thread_carry_a_purpose_and_plain_threads_do_not():
    """A purpose goes where the context goes, and nowhere else."""
    guard = new_guard()
    load, got = loader(guard), []

    async def in_executor():
        return await asyncio.get_running_loop().run_in_executor(None, lambda: reason_of(load))

    with guard.purpose("hiring"):
        assert carried(load) == [DATA] * 4
        with concurrent.futures.ThreadPoolExecutor() as pool:
            got.append(pool.submit(reason_of, load).result())
        for thread in (
            threading.Thread(target=lambda: got.append(reason_of(load))),
            threading.Timer(0, lambda: got.append(reason_of(load))),
        ):
            thread.start()
            thread.join()
        got.append(asyncio.run(in_executor()))
    inherits = getattr(sys.flags, "thread_inherit_context", False)
    assert got[1:3] == [None if inherits else "purpose_undeclared"] * 2
    assert {got[0], got[3]} == {"purpose_undeclared"}


def test_c5_an_instrumentation_that_carries_context_into_threads_carries_leases():
    """OpenTelemetry's threading instrumentation carries a purpose that ends with its block."""
    guard = new_guard()
    load, go, got = loader(guard), threading.Event(), []

    def late():
        go.wait()
        got.append(reason_of(load))

    instrumentation = ThreadingInstrumentor()
    instrumentation.instrument()
    try:
        with guard.purpose("hiring"), concurrent.futures.ThreadPoolExecutor() as pool:
            assert pool.submit(load).result() == DATA
        with guard.purpose("hiring"):
            thread = threading.Thread(target=late)
            thread.start()
        go.set()
        thread.join()
    finally:
        instrumentation.uninstrument()
    assert got == ["purpose_closed"]


# C6 to C8


def test_c6_wait_for_leaves_no_purpose_whether_it_makes_a_task_or_not():
    """Python 3.12 awaits in the caller's context, 3.11 in a task's: the answer is the same."""
    guard = new_guard()
    load = loader(guard)

    @guard.purpose("hiring")
    async def decorated():
        await asyncio.sleep(0)
        return load()

    async def block():
        async with guard.purpose("hiring"):
            await asyncio.sleep(0)
            return load()

    async def run():
        got = []
        for work in (decorated, block):
            got += [await asyncio.wait_for(work(), 60), reason_of(load)]
            got += [await asyncio.wait_for(asyncio.shield(work()), 60), reason_of(load)]
        return got

    assert asyncio.run(run()) == [DATA, "purpose_undeclared"] * 4


def test_c7_a_runner_leaves_no_purpose_between_its_runs():
    """`asyncio.Runner` keeps one context; a decorated or interrupted run leaves nothing in it."""
    guard = new_guard()
    load = loader(guard)

    @guard.purpose("hiring")
    async def work(error=None):
        await asyncio.sleep(0)
        if error:
            raise error
        return load()

    async def look():
        return reason_of(load)

    with asyncio.Runner() as runner:
        assert [runner.run(work()), runner.run(look())] == [DATA, "purpose_undeclared"]
        with pytest.raises(KeyboardInterrupt):
            runner.run(work(KeyboardInterrupt()))
    with asyncio.Runner() as runner:
        with pytest.raises(LookupError):
            runner.run(work(LookupError()))
        assert runner.run(look()) == "purpose_undeclared"


@attack(naive=BareSetGuard)
def test_c8_a_bridge_that_copies_a_threads_context_back(guard):
    """What a bridge copies back to its caller, as asgiref does, is dead by then."""
    load, context = loader(guard), contextvars.copy_context()

    def view():
        with guard.purpose("hiring"):
            raise LookupError

    with contextlib.suppress(LookupError), concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(context.run, view).result()
    for variable, value in context.items():
        variable.set(value)
    return load()


@attack()
def test_c8_a_bridge_that_copies_back_while_the_block_is_still_open(guard):
    """Nor does a copy that was taken inside outlive the block."""
    load, copies = loader(guard), []

    def view():
        with guard.purpose("hiring"):
            copies.append(contextvars.copy_context())

    with concurrent.futures.ThreadPoolExecutor() as pool:
        pool.submit(view).result()
    for variable, value in copies[0].items():
        variable.set(value)
    return load()


# C9, C10


def test_c9_a_block_entered_and_left_by_other_threads_is_no_purpose_here():
    """A framework that enters a dependency in one worker and leaves it in another opens nothing."""
    guard = new_guard()
    load = loader(guard)

    @contextlib.contextmanager
    def dependency():
        with guard.purpose("hiring"):
            yield load()

    for _ in range(3):
        manager = dependency()
        with concurrent.futures.ThreadPoolExecutor(1) as first:
            context = contextvars.copy_context()
            assert first.submit(context.run, manager.__enter__).result() == DATA
        assert reason_of(load) == "purpose_undeclared"
        with concurrent.futures.ThreadPoolExecutor(1) as second:
            second.submit(manager.__exit__, None, None, None).result()
        assert reason_of(lambda: context.run(load)) == "purpose_closed"  # noqa: B023


@attack()
def test_c10_a_streamed_response_runs_after_its_view(guard):
    """The body of a streaming response has no purpose of the view that made it."""
    app = flask.Flask("c10")
    app.testing = True

    @guard.access("candidate")
    def rows():
        yield DATA

    @app.get("/rows")
    def view():
        with guard.purpose("hiring"):
            return flask.Response(rows())

    return app.test_client().get("/rows").text


def test_c10_a_decorated_stream_keeps_its_own_purpose():
    """A generator with a purpose of its own streams, and leaves nothing to the server."""
    guard = new_guard()
    app = flask.Flask("c10")
    app.testing = True

    @guard.purpose("hiring")
    @guard.access("candidate")
    def rows():
        yield DATA
        yield DATA

    app.get("/rows")(lambda: flask.Response(rows()))
    assert app.test_client().get("/rows").text == DATA * 2
    assert reason_of(loader(guard)) == "purpose_undeclared"


# C11 to C13

SPAWN = """
import concurrent.futures, multiprocessing
import hazard_kit

if __name__ == "__main__":
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=spawn) as pool:
        with hazard_kit.SHARED.purpose("hiring"):
            print(pool.submit(hazard_kit.reason_in_another_process).result())
            try:
                pool.submit(hazard_kit.shared_load).result()
            except Exception as error:
                print(type(error).__name__, error.decision.reason)
"""


def test_c11_another_process_has_no_purpose_and_its_denial_travels_back():
    """A spawned process starts with none, and a denial is pickled whole (B28 has forks)."""
    assert python(SPAWN) == [
        "purpose_undeclared",
        "UndecidedAccessError",
        "purpose_undeclared",
    ]


def test_c12_scopes_copy_as_themselves_and_cannot_be_pickled():
    """A copied scope is the same scope; nothing that holds a lease goes through pickle."""
    guard = new_guard()
    load, scope = loader(guard), guard.purpose("hiring")
    assert copy.copy(scope) is copy.deepcopy(scope) is scope
    for each in (guard, scope, guard.access("candidate")):
        with pytest.raises(TypeError):
            pickle.dumps(each)
    with scope:
        copy.deepcopy(scope).__exit__(None, None, None)
        assert reason_of(load) in {"purpose_closed", "purpose_undeclared"}
    scope.__exit__(None, None, None)
    assert reason_of(load) == "purpose_undeclared"


def test_c12_denials_are_pickled_whole():
    """What a worker process raises says the same in its parent."""
    guard = new_guard()
    with pytest.raises(AccessDeniedError) as denied:
        guard.check("candidate")
    copied = pickle.loads(pickle.dumps(denied.value))
    assert type(copied) is type(denied.value)
    assert (copied.decision, str(copied)) == (denied.value.decision, str(denied.value))


def test_c13_a_thread_that_inherits_its_context_inherits_leases():
    """Whether threads inherit a context or not, a purpose ends with its block."""
    guard = new_guard()
    load, go, got = loader(guard), threading.Event(), []

    def work():
        got.append(reason_of(load))
        go.wait()
        got.append(reason_of(load))

    with guard.purpose("hiring"):
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(work,))
        thread.start()
        while not got:
            thread.join(0.001)
    go.set()
    thread.join()
    assert got == [None, "purpose_closed"]
