"""B15 to B30: work that runs at another time, or in another context, than its purpose."""

import asyncio
import concurrent.futures
import contextlib
import contextvars
import functools
import inspect
import signal
import threading
import types

import pytest
from hazard_kit import DATA, attack, collected, loader, new_guard, python, reason_of
from naive import BareSetGuard, NaiveGuard, SteppingGuard

from effort import effort
from purposeguard import AccessDeniedError, UndecidedAccessError
from purposeguard.testing import capture

# B15, B16


def iterate(generator):
    return next(generator)


def iterate_later(generator):
    return next(generator) and next(generator)


def send(generator):
    next(generator)
    return generator.send("more")


def throw_in(generator):
    next(generator)
    return generator.throw(KeyError())


def delegate(generator):
    def outer():
        yield from generator

    return next(outer())


def in_a_thread(generator):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return pool.submit(next, generator).result()


def return_value(generator):
    for _ in range(2):
        next(generator)
    try:
        next(generator)
    except StopIteration as stop:
        return stop.value


WAYS_TO_STEP = [iterate, iterate_later, send, throw_in, delegate, in_a_thread, return_value]


def stepped(guard):
    @guard.access("candidate")
    def load():
        for _ in range(2):
            with contextlib.suppress(KeyError):
                yield DATA
        return DATA

    return load()


@attack(*WAYS_TO_STEP)
def test_b15_generator_created_under_one_purpose_iterated_under_another(guard, step):
    """Every step is judged anew, under the purposes of its consumer."""
    with guard.purpose("hiring"):
        generator = stepped(guard)
    with guard.purpose("ads"):
        return step(generator)


@attack(*WAYS_TO_STEP)
def test_b15_generator_iterated_after_its_purpose_has_ended(guard, step):
    """With nothing declared at the step there is nothing to permit it."""
    with guard.purpose("hiring"):
        generator = stepped(guard)
    return step(generator)


@attack("iterate", "throw")
def test_b15_generator_begun_under_one_purpose_goes_on_under_another(guard, step):
    """A permitted first step is no licence for the next one."""
    with guard.purpose("hiring"):
        generator = stepped(guard)
        assert next(generator) == DATA
    with guard.purpose("ads"):
        return next(generator) if step == "iterate" else generator.throw(KeyError())


def test_b15_a_denied_step_closes_the_generator_and_its_clean_up_runs():
    """After a denial nothing more comes out, and `finally` has run."""
    guard, cleaned = new_guard(), []

    @guard.access("candidate")
    def load():
        try:
            yield DATA
            yield DATA
        finally:
            cleaned.append(True)

    with guard.purpose("hiring"):
        generator = load()
        assert next(generator) == DATA
    assert reason_of(lambda: next(generator)) == "purpose_undeclared"
    assert cleaned == [True]
    assert [*generator] == []


def test_b15_data_handed_out_while_closing_is_dropped():
    """A generator that answers `close` with data, against the rules, gives none away."""
    guard = new_guard()

    @guard.access("candidate")
    def load():
        try:
            yield "first"
        except GeneratorExit:
            yield DATA

    with guard.purpose("hiring"):
        generator = load()
        next(generator)
    with guard.purpose("ads"), pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        generator.throw(GeneratorExit())


def test_b15_a_guard_on_a_delegating_generator_judges_every_level():
    """Stacked guards and `yield from` intersect: the inner one is judged at each step too."""
    guard = new_guard()

    @guard.access("candidate")
    def inner():
        yield DATA
        yield DATA

    @guard.purpose("hiring")
    def middle():
        yield from inner()

    @guard.purpose("hiring.selection")
    @guard.access("candidate")
    def outer():
        yield from middle()

    assert [*outer()] == [DATA, DATA]
    with guard.purpose("ads"):
        assert reason_of(lambda: [*outer()]) == "not_granted"
    assert reason_of(lambda: [*inner()]) == "purpose_undeclared"


@attack(naive=SteppingGuard, gives="not denied")
def test_b16_calling_a_generator_is_judged_at_once(guard):
    """A denial comes at the call, not at a step that may never be made."""

    @guard.access("candidate")
    def load():
        yield DATA

    load()
    return "not denied"


# B17


def coroutine_function(guard):
    @guard.access("candidate")
    async def load():
        await asyncio.sleep(0)
        return DATA

    return load()


def generator_based_coroutine(guard):
    @guard.access("candidate")
    @types.coroutine
    def load():
        yield from asyncio.sleep(0).__await__()
        return DATA

    async def use(awaitable):
        return await awaitable

    return use(load())


def method(guard):
    class Store:
        @guard.access("candidate")
        async def load(self):
            return DATA

    return Store().load()


def async_step(guard):
    @guard.access("candidate")
    async def load():
        yield DATA

    async def use(step):
        return await step

    return use(anext(load()))


def returned_by_a_function(guard):
    async def raw():
        return DATA

    @guard.access("candidate")
    def load():
        return raw()

    return load()


COROUTINES = [
    coroutine_function,
    generator_based_coroutine,
    method,
    async_step,
    returned_by_a_function,
]


@attack(*COROUTINES)
async def test_b17_coroutine_created_under_one_purpose_awaited_under_another(guard, way):
    """A coroutine is decided when it first runs, under the purposes in force there."""
    with guard.purpose("hiring"):
        coroutine = way(guard)
    with guard.purpose("ads"):
        return await coroutine


@attack(*COROUTINES)
async def test_b17_coroutine_run_as_a_task_with_no_purpose(guard, way):
    """A task that is started where nothing is declared has nothing to permit it."""
    with guard.purpose("hiring"):
        coroutine = way(guard)
    return await asyncio.create_task(coroutine)


@attack(*COROUTINES)
def test_b17_coroutine_run_by_another_threads_loop(guard, way):
    """Neither has a loop in another thread."""

    def make():
        with guard.purpose("hiring"):
            return way(guard)

    coroutine = make()
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return pool.submit(asyncio.run, coroutine).result()


@attack()
async def test_b17_coroutine_resumed_after_its_purpose_has_ended(guard):
    """The leases are looked at once more before a result is handed over."""
    fetched = asyncio.Event()

    @guard.access("candidate")
    async def load():
        await fetched.wait()
        return DATA

    with guard.purpose("hiring"):
        task = asyncio.create_task(load())
        await asyncio.sleep(0)
    fetched.set()
    return await task


def test_b17_limit_a_coroutine_driven_by_hand_keeps_its_purpose_between_steps():
    """Without a task a suspended coroutine shares its driver's context: a documented limit."""
    guard = new_guard()
    load = loader(guard)

    @guard.purpose("hiring")
    async def work():
        await asyncio.sleep(0)
        return load()

    def drive():
        coroutine = work()
        coroutine.send(None)
        assert load() == DATA
        with pytest.raises(StopIteration, match=DATA):
            coroutine.send(None)
        return reason_of(load)

    assert contextvars.copy_context().run(drive) == "purpose_undeclared"


# B18


def plain():
    return DATA


async def coroutine():
    return DATA


def generator():
    yield DATA


async def async_generator():
    yield DATA


@types.coroutine
def awaitable_generator():
    yield


class AsyncCall:
    async def __call__(self):
        return DATA


_ASKED = (
    inspect.isfunction,
    inspect.iscoroutinefunction,
    inspect.isgeneratorfunction,
    inspect.isasyncgenfunction,
)


@pytest.mark.parametrize(
    "raw",
    [plain, coroutine, generator, async_generator, awaitable_generator],
    ids=lambda raw: raw.__name__,
)
def test_b18_a_guarded_function_keeps_its_kind(raw):
    """What frameworks ask a function to learn how to call it has the same answers as before."""
    guard = new_guard()
    kind = [asked(raw) for asked in _ASKED]
    for mark in (guard.access("candidate"), guard.purpose("hiring"), guard.carry):
        assert [asked(mark(raw)) for asked in _ASKED] == kind
        assert [asked(mark(functools.partial(raw))) for asked in _ASKED] == kind
        assert [asked(mark(mark(raw))) for asked in _ASKED] == kind
    naive = NaiveGuard({}).access("candidate")(raw)
    assert ([asked(naive) for asked in _ASKED] == kind) == (raw is plain)


def test_b18_an_object_with_an_async_call_becomes_a_coroutine_function():
    """Frameworks that look at `__call__` and those that look at the function agree."""
    assert inspect.iscoroutinefunction(new_guard().access("candidate")(AsyncCall()))


# B19


@attack()
def test_b19_a_returned_generator_is_judged_at_each_step(guard):
    """A function that returns a generator is handled as a generator function is."""

    @guard.access("candidate")
    def load():
        return (each for each in [DATA])

    with guard.purpose("hiring"):
        lazy = load()
    with guard.purpose("ads"):
        return next(lazy)


@attack()
async def test_b19_a_returned_async_generator_is_judged_at_each_step(guard):
    """So is one that returns an async generator."""

    async def raw():
        yield DATA

    @guard.access("candidate")
    def load():
        return raw()

    with guard.purpose("hiring"):
        lazy = load()
    with guard.purpose("ads"):
        return await anext(lazy)


def test_b19_a_returned_generator_that_never_starts_leaves_no_purpose_behind():
    """The lease of a call ends when what it returned is collected, started or not."""
    guard = new_guard()
    load, contexts = loader(guard), []

    async def nothing():
        return None

    @guard.purpose("hiring")
    def work(lazy):
        contexts.append(contextvars.copy_context())
        assert contexts[-1].run(load) == DATA
        return lazy()

    async def steps():
        yield DATA

    for lazy in (lambda: iter(_ for _ in "x"), steps, nothing):
        returned = work(lazy)
        if lazy is nothing:
            returned.close()
        del returned
        collected()
    assert {reason_of(lambda: each.run(load)) for each in contexts} == {"purpose_closed"}  # noqa: B023


def test_b19_limit_other_lazy_values_are_handed_on_as_they_are(tmp_path):
    """A `map`, an open file or a cursor is read without another access: a documented limit."""
    guard = new_guard()
    (tmp_path / "data").write_text(DATA)

    @guard.access("candidate")
    def lazy():
        return map(str, [DATA])

    @guard.access("candidate")
    def opened():
        return (tmp_path / "data").open()

    with guard.purpose("hiring"):
        values, file = lazy(), opened()
    with guard.purpose("ads"), file:
        assert [next(values), file.read()] == [DATA, DATA]


# B20


async def as_a_coroutine(guard):
    load = loader(guard)

    @guard.purpose("ads")
    async def work():
        return load()

    return await work()


async def as_a_generator(guard):
    load = loader(guard)

    @guard.purpose("ads")
    def work():
        yield load()

    return next(work())


async def as_an_async_generator(guard):
    load = loader(guard)

    @guard.purpose("ads")
    async def work():
        yield load()

    return await anext(work())


@attack(as_a_coroutine, as_a_generator, as_an_async_generator)
async def test_b20_purpose_as_a_decorator_is_in_force_while_the_body_runs(guard, way):
    """The body runs under the declared purpose, not under its caller's alone."""
    with guard.purpose("hiring"):
        return await way(guard)


@attack()
def test_b20_a_guard_over_a_context_manager_would_judge_the_wrong_moment(guard):
    """The body of `@contextmanager` runs at `__enter__`: a guard on top of it is refused."""

    @guard.access("candidate")
    @contextlib.contextmanager
    def session():
        yield DATA

    with guard.purpose("hiring"):
        manager = session()
    with guard.purpose("ads"), manager as data:
        return data


# B21, B22


def test_b21_one_scope_object_nests_and_is_shared_by_threads():
    """Entering the same object again, or in many threads at once, mixes nothing up."""
    guard = new_guard()
    load, scope = loader(guard), guard.purpose("hiring")
    meet = threading.Barrier(8)

    def use(_):
        with scope:
            meet.wait()
            with scope, scope:
                assert load() == DATA
            meet.wait()
            assert load() == DATA
        meet.wait()
        return reason_of(load)

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set(pool.map(use, range(8))) == {"purpose_undeclared"}
    assert reason_of(load) == "purpose_undeclared"


def test_b21_leaving_a_scope_that_was_not_entered_here_takes_purposes_away_only():
    """A stray exit closes what the object has open elsewhere: a gap, never a grant."""
    guard = new_guard()
    load, scope = loader(guard), guard.purpose("hiring")
    scope.__exit__(None, None, None)
    assert reason_of(load) == "purpose_undeclared"
    with scope:
        assert load() == DATA
        threading.Thread(target=scope.__exit__, args=(None, None, None)).run()
    with scope:
        thread = threading.Thread(target=scope.__exit__, args=(None, None, None))
        thread.start()
        thread.join()
        assert reason_of(load) == "purpose_closed"
        scope.__exit__(None, None, None)
    assert reason_of(load) == "purpose_undeclared"


@attack()
def test_b22_blocks_closed_out_of_order_leave_nothing_behind(guard):
    """What was opened first and closed first is not in force again afterwards."""
    first, second = guard.purpose("hiring"), guard.purpose("hiring.selection")
    load = loader(guard)
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    second.__exit__(None, None, None)
    return load()


def test_b22_between_the_two_exits_the_chain_is_dead():
    """An inner block whose outer one has ended permits nothing."""
    guard = new_guard()
    load = loader(guard)
    first, second = guard.purpose("hiring"), guard.purpose("hiring.selection")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert reason_of(load) in {"purpose_closed", "purpose_undeclared"}
    second.__exit__(None, None, None)


# B23, B24


def run_in_it(context, load):
    return context.run(load)


def run_a_thread_in_it(context, load):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return pool.submit(context.run, load).result()


def call_soon_in_it(context, load):
    async def run():
        done = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(_settle, done, load, context=context)
        return await done

    return asyncio.run(run())


def run_a_task_in_it(context, load):
    async def work():
        return load()

    async def run():
        return await asyncio.get_running_loop().create_task(work(), context=context)

    return asyncio.run(run())


def _settle(done, load):
    try:
        done.set_result(load())
    except Exception as error:  # noqa: BLE001 - it is handed on
        done.set_exception(error)


@attack(run_in_it, run_a_thread_in_it, call_soon_in_it, run_a_task_in_it)
def test_b23_context_captured_in_a_block_and_run_after_it(guard, way):
    """A copy of the context holds a dead lease once the block is left."""
    with guard.purpose("hiring"):
        context = contextvars.copy_context()
    return way(context, loader(guard))


@attack(run_in_it, run_a_thread_in_it)
def test_b23_a_purpose_opened_on_a_dead_chain_permits_nothing(guard, way):
    """A scope on top of a dead one is dead as well: only a root scope starts afresh."""
    load = loader(guard)

    def reopen():
        with guard.purpose("hiring.contact"):
            return load()

    with guard.purpose("hiring"):
        context = contextvars.copy_context()
    return way(context, reopen)


def started_task(load, later):
    async def work():
        await later.wait()
        return load()

    return asyncio.create_task(work())


def timer(load, later):
    done = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().call_later(0.001, _settle, done, load)
    return done


def done_callback(load, later):
    done = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(later.wait())
    task.add_done_callback(lambda _: _settle(done, load))
    return done


def thread_that_goes_on(load, later):
    go = threading.Event()
    asyncio.get_running_loop().call_later(0.001, go.set)

    def work():
        go.wait()
        return load()

    return asyncio.create_task(asyncio.to_thread(work))


def shielded(load, later):
    return asyncio.shield(started_task(load, later))


@attack(started_task, timer, done_callback, thread_that_goes_on, shielded)
async def test_b24_background_work_that_outlives_its_block(guard, way):
    """What was started inside is dead outside, unless it was handed over."""
    later = asyncio.Event()
    with guard.purpose("hiring"):
        work = way(loader(guard), later)
    await asyncio.sleep(0)
    later.set()
    return await work


def test_b24_a_task_group_that_ends_inside_the_block_is_permitted():
    """Tasks that are awaited before the block is left work as they should."""
    guard = new_guard()
    load = loader(guard)

    async def work():
        await asyncio.sleep(0)
        return load()

    async def run():
        with guard.purpose("hiring"):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work()) for _ in range(3)]
        return [task.result() for task in tasks]

    assert asyncio.run(run()) == [DATA] * 3


def test_b24_background_work_that_was_handed_over_is_permitted_and_says_so():
    """`guard.carry` opens new leases for the length of the work, and the record shows it."""
    guard = new_guard()
    load = loader(guard)

    async def work():
        await asyncio.sleep(0)
        return load()

    async def run():
        with guard.purpose("hiring"):
            task = asyncio.create_task(guard.carry(work()))
        return await task

    with capture(guard) as accesses:
        assert asyncio.run(run()) == DATA
    assert [access.carried for access in accesses] == [True]


# B25, B26


@attack(naive=BareSetGuard)
def test_b25_pool_worker_left_with_a_purpose_after_an_error(guard):
    """The next job of a worker whose last one failed has no purpose."""

    def fail():
        with guard.purpose("hiring"):
            raise LookupError

    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert isinstance(pool.submit(fail).exception(), LookupError)
        return pool.submit(loader(guard)).result()


def test_b25_a_scope_that_is_not_entered_declares_nothing():
    """There is no bare set: making a scope object, or throwing it away, changes nothing."""
    guard = new_guard()
    load = loader(guard)
    scope = guard.purpose("hiring")
    assert reason_of(load) == "purpose_undeclared"
    del scope
    scopes = [name for name in dir(guard) if not name.startswith("_")]
    assert not {"set", "declare", "enter", "activate", "push", "attach"} & {*scopes}


def executor(load):
    async def run():
        return await asyncio.get_running_loop().run_in_executor(None, load)

    return asyncio.run(run())


def pool(load):
    with concurrent.futures.ThreadPoolExecutor() as workers:
        return workers.submit(load).result()


def thread(load):
    got = []

    def work():
        try:
            got.append(load())
        except AccessDeniedError as denied:
            got.append(denied)

    started = threading.Thread(target=work)
    started.start()
    started.join()
    if isinstance(got[0], Exception):
        raise got[0]
    return got[0]


@pytest.mark.parametrize("way", [executor, pool, thread])
def test_b26_a_thread_has_no_purpose_and_the_message_names_the_helper(way):
    """Work on other threads is denied, and told how to hand the purpose over."""
    guard = new_guard()
    load = loader(guard)
    with guard.purpose("hiring"):
        with pytest.raises(UndecidedAccessError, match=r"hand it .* with `guard\.carry") as denied:
            way(load)
        assert denied.value.decision.reason == "purpose_undeclared"
        assert way(guard.carry(load)) == DATA
    with pytest.raises(UndecidedAccessError):
        way(load)


# B27


def test_b27_limit_finalizers_and_signal_handlers_run_under_whom_they_interrupt():
    """`__del__` and signal handlers share the interrupted context: a limit, but it is recorded."""
    guard = new_guard()
    load, got = loader(guard), []

    class Last:
        def __del__(self):
            got.append(load())

    last = Last()
    before = signal.signal(signal.SIGUSR1, lambda *_: got.append(load()))
    try:
        with capture(guard) as accesses, guard.purpose("hiring"):
            del last
            collected()
            signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert got == [DATA, DATA]
    assert [access.purpose for access in accesses] == ["hiring", "hiring"]


def test_b27_a_finalizer_with_a_root_scope_of_its_own_is_judged_by_it():
    """The way out: a finalizer or handler declares its own purpose on a new chain."""
    guard = new_guard()
    load, got = loader(guard), []

    @guard.purpose("ads", root=True)
    def handler(*_):
        got.append(reason_of(load))

    before = signal.signal(signal.SIGUSR1, handler)
    try:
        with guard.purpose("hiring"):
            signal.raise_signal(signal.SIGUSR1)
            assert load() == DATA
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert got == ["not_granted"]


# B28

FORK = """
import os, sys
from hazard_kit import DATA, GRANTS, loader, new_guard, reason_of
from naive import NaiveGuard

def in_a_child(look):
    read, write = os.pipe()
    if not (child := os.fork()):
        os.write(write, str(look()).encode())
        os._exit(0)
    os.waitpid(child, 0)
    return os.read(read, 100).decode().replace(" ", "_")

guard, naive = new_guard(), NaiveGuard(GRANTS)
load, naive_load = loader(guard), loader(naive)

def again():
    with guard.purpose("hiring"):
        return reason_of(load)

def afresh():
    with guard.purpose("hiring", root=True):
        return load() == DATA

@guard.purpose("hiring")
def steps():
    yield load()
    yield load()

with guard.purpose("hiring"), naive.purpose("hiring"):
    print(in_a_child(naive_load) == DATA.replace(" ", "_"))
    print(in_a_child(lambda: reason_of(load)))
    print(in_a_child(again))
    print(in_a_child(afresh))
    print(load() == DATA)
carried = None
with guard.purpose("hiring"):
    carried = guard.carry(load)
    generator = steps()
    next(generator)
print(in_a_child(lambda: reason_of(carried)))
print(in_a_child(lambda: reason_of(lambda: next(generator))))
print(in_a_child(lambda: reason_of(load)))
"""


def test_b28_a_forked_child_has_no_purpose_of_its_parent():
    """A lease is dead in a forked child; what is declared there afresh counts."""
    assert python(FORK) == [
        *("True", "purpose_closed", "purpose_closed", "True", "True"),
        *("None", "purpose_closed", "purpose_undeclared"),
    ]


# B29


def in_a_block(guard, error):
    with guard.purpose("hiring"):
        raise error


def in_a_function(guard, error):
    @guard.purpose("hiring")
    def work():
        raise error

    work()


def in_a_block_of_a_coroutine(guard, error):
    async def work():
        with guard.purpose("hiring"):
            raise error

    work().send(None)


def in_a_block_in_a_context_manager(guard, error):
    @contextlib.contextmanager
    def session():
        with guard.purpose("hiring"):
            yield

    with session():
        raise error


def in_an_exit_stack(guard, error):
    with contextlib.ExitStack() as stack:
        stack.enter_context(guard.purpose("hiring"))
        raise error


ERRORS = [
    KeyboardInterrupt,
    SystemExit,
    GeneratorExit,
    asyncio.CancelledError,
    MemoryError,
    RecursionError,
    LookupError,
]


@attack(
    in_a_block,
    in_a_function,
    in_a_block_of_a_coroutine,
    in_a_block_in_a_context_manager,
    in_an_exit_stack,
    naive=BareSetGuard,
)
def test_b29_whatever_ends_a_block_its_purpose_ends_too(guard, way):
    """No kind of error or exit leaves a purpose behind."""
    load = loader(guard)
    for error in ERRORS:
        with contextlib.suppress(error):
            way(guard, error())
    return load()


def test_b29_cancelling_a_task_in_its_block_ends_its_purpose():
    """Nor does cancellation, at an await inside a guarded coroutine."""
    guard = new_guard()
    load, kept = loader(guard), []

    @guard.purpose("hiring")
    async def work():
        kept.append(contextvars.copy_context())
        await asyncio.sleep(60)

    async def run():
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert reason_of(lambda: kept[0].run(load)) == "purpose_closed"


@pytest.mark.parametrize("event", ["line", "opcode"][: effort(quick=1, ci=2, full=2)])
def test_b29_limit_an_interrupt_inside_the_check_releases_nothing(event):
    """Wherever in the guard's own code Ctrl-C lands, no data is released without a permit."""
    said = python(INTERRUPT.replace("{event}", event))
    assert said[0] == "0"
    assert int(said[1]) > 50


INTERRUPT = """
import contextvars, sys
from hazard_kit import DATA, loader, new_guard, reason_of

guard = new_guard()
load = loader(guard)
event_asked = "{event}"

@guard.purpose("ads")
def wrong():
    return load()

def attempt(at):
    seen = 0
    def trace(frame, event, arg):
        nonlocal seen
        frame.f_trace_opcodes = event_asked == "opcode"
        inside = "purposeguard" in frame.f_code.co_filename
        if inside and event == event_asked:
            seen += 1
            if seen == at:
                raise KeyboardInterrupt
        return trace
    sys.settrace(trace)
    try:
        return wrong()
    except KeyboardInterrupt:
        return "interrupted"
    except Exception:
        return "denied"
    finally:
        sys.settrace(None)

leaked = interrupted = at = 0
while True:
    at += 1
    got = contextvars.copy_context().run(attempt, at)
    if got == "denied":
        break
    leaked += got == DATA
    interrupted += got == "interrupted"
print(leaked, interrupted)
"""


@pytest.mark.parametrize("met", ["warm", "cold"])
@pytest.mark.parametrize("purpose", ["hiring", "ads"])
def test_b29_what_a_signal_handler_raises_is_the_programs(purpose, met, tmp_path):
    """Wherever in the guard's own code a time limit strikes, it is neither lost nor remembered."""
    program = LIMIT.replace("{purpose}", purpose).replace("{ledger}", str(tmp_path))
    strange, places = python(program.replace("{met}", met))
    assert strange == "[]"
    assert int(places) > 50


LIMIT = """
import contextvars, logging, signal, sys
from opentelemetry.sdk.trace import TracerProvider
from hazard_kit import loader, new_guard
from purposeguard import AccessDeniedError, Ledger
from purposeguard.testing import capture

class TimeLimit(Exception):
    "As Celery's soft time limit: no BaseException."

def over(*_):
    raise TimeLimit

signal.signal(signal.SIGALRM, over)
logging.disable()
ledger = Ledger("{ledger}", required=True)

def reader():
    guard = new_guard(ledger=ledger, tracer_provider=TracerProvider())
    load = loader(guard)
    return guard, guard.purpose("{purpose}")(lambda: load())

def outcome(read):
    try:
        return bool(read())
    except AccessDeniedError as denied:
        return str(denied.decision.reason)

def attempt(read, at):
    seen = 0
    def profile(frame, event, arg):
        # Where the interpreter looks for signals: a function begins, or one of C's has returned.
        nonlocal seen
        if event in ("call", "c_return") and "purposeguard" in frame.f_code.co_filename:
            seen += 1
            if seen == at:
                signal.raise_signal(signal.SIGALRM)
    sys.setprofile(profile)
    try:
        return outcome(read)
    except TimeLimit:
        return "limit"
    finally:
        sys.setprofile(None)

guard, read = reader()
expected, got, strange, at = outcome(read), None, [], 0
while got != expected:
    at += 1
    if "{met}" == "cold":
        guard, read = reader()
    with capture(guard):
        got = contextvars.copy_context().run(attempt, read, at)
        if outcome(read) != expected or got not in ("limit", expected):
            strange.append(at)
ledger.close()
print(str(strange).replace(" ", ""), at)
"""


# B30


@attack(naive=BareSetGuard)
def test_b30_runner_keeps_one_context_for_all_its_runs(guard):
    """A second run on the same `asyncio.Runner` inherits nothing."""
    load = loader(guard)

    async def first():
        with guard.purpose("hiring"):
            raise LookupError

    async def second():
        return load()

    with asyncio.Runner() as runner:
        with contextlib.suppress(LookupError):
            runner.run(first())
        return runner.run(second())


@attack(naive=BareSetGuard)
async def test_b30_wait_for_runs_in_the_callers_context(guard):
    """What timed out under `wait_for`, or was awaited directly, leaves no purpose to the caller."""
    load = loader(guard)

    async def slow():
        with guard.purpose("hiring"):
            await asyncio.sleep(60)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0):
            await slow()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(slow(), 0.001)
    return load()
