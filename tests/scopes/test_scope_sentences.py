"""What is promised of scopes, sentence by sentence."""

import asyncio
import contextlib
import contextvars
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.context import attach, detach, get_current
from opentelemetry.propagate import extract
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import get_current_span
from scope_world import MATRIX, in_child

from purposeguard import AccessDeniedError, Guard, ScopeError
from purposeguard.testing import capture


@pytest.fixture
def guard():
    """A guard under the policy of `scope_model`."""
    return Guard(MATRIX)


@pytest.fixture
def read(guard):
    """What an access to `k`, or to another category, comes to: its reason."""

    def read(category="k", items=None):
        return reason_of(lambda: guard.check(category, items=items).reason)

    return read


def reason_of(call, *given):
    """Return what a call returns, or the reason for which it was denied."""
    try:
        return call(*given)
    except AccessDeniedError as error:
        return error.decision.reason


async def reason_of_awaited(awaitable):
    """Return what comes of awaiting, or the reason for which it was denied."""
    try:
        return await awaitable
    except AccessDeniedError as error:
        return error.decision.reason


def elsewhere(call):
    """Return what a call comes to in a thread that has no context."""
    return ThreadPoolExecutor(1).submit(call).result(timeout=60)


# The chain.


def test_nothing_declared_is_a_gap(guard, read):
    """Without a purpose there is no default."""
    assert read() == "purpose_undeclared"


def test_the_chain_goes_where_trace_context_is_carried(guard, read):
    """Attaching the OpenTelemetry Context of a block in another thread brings its purpose there."""
    with guard.purpose("a"):
        context = get_current()

        def carried():
            token = attach(context)
            try:
                return read()
            finally:
                detach(token)

        assert elsewhere(carried) == "granted"


def test_the_chain_goes_nowhere_else(guard, read):
    """A thread that is not given the context has no purpose."""
    with guard.purpose("a"):
        assert elsewhere(read) == "purpose_undeclared"


def test_an_extracted_context_drops_the_chain(guard, read):
    """An instrumentation that attaches a context from headers leaves a gap, never a grant."""
    with guard.purpose("a"):
        header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        token = attach(extract({"traceparent": header}, context=type(get_current())()))
        assert read() == "purpose_undeclared"
        detach(token)
        assert read() == "granted"


# Nesting.


@pytest.mark.parametrize(
    ("chain", "category", "reason"),
    [
        (["a", "d"], "k", "item_excess"),
        (["d", "a"], "k", "item_excess"),
        (["a", "e"], "k", "not_granted"),
        (["a.b", "e"], "l", "granted"),
        (["a.b", "d", "e"], "l", "prohibited"),
        (["a", "a.b"], "l", "granted"),
        (["a.b", "a"], "l", "granted"),
        (["a", "a.c"], "l", "not_granted"),
        (["a.b", "a.c"], "l", "not_granted"),
        (["a", "a"], "k", "granted"),
    ],
)
def test_nested_scopes_intersect(guard, read, chain, category, reason):
    """Every purpose on the chain that is no ancestor of another one must permit by itself."""
    with contextlib.ExitStack() as stack:
        for purpose in chain:
            stack.enter_context(guard.purpose(purpose))
        assert read(category) == reason


def test_an_inner_scope_may_refine_an_outer_purpose_to_a_child(guard, read):
    """Inside `a`, its child `a.b` sees what only the child may see."""
    with guard.purpose("a"):
        assert read("l") == "not_granted"
        with guard.purpose("a.b"):
            assert read("l") == "granted"
        assert read("l") == "not_granted"


def test_an_unrelated_inner_purpose_only_takes_away(guard, read):
    """What it grants by itself is not granted inside another purpose."""
    with guard.purpose("e"):
        assert read("l") == "granted"
        with guard.purpose("a"):
            assert read("l") == "not_granted"
            assert read("k") == "not_granted"


def test_a_root_scope_starts_a_new_chain_and_the_record_says_so(guard, read):
    """Outer purposes don't count inside it."""
    with guard.purpose("e"), guard.purpose("a", root=True), capture(guard) as records:
        assert read() == "granted"
        with guard.purpose("a.b"):
            assert read() == "granted"
    assert [(each.root, each.decision.purposes) for each in records] == [
        (True, ("a",)),
        (True, ("a.b",)),
    ]


# Leases.


def test_a_lease_dies_with_its_block(guard, read):
    """A context that was copied inside is a gap once the block has been left."""
    with guard.purpose("a"):
        context = contextvars.copy_context()
        assert context.run(read) == "granted"
    assert context.run(read) == "purpose_closed"


@pytest.mark.parametrize("leaves", ["error", "break", "return", "cancel"])
def test_a_lease_dies_however_its_block_is_left(guard, read, leaves):
    """An exception, `break`, `return` and cancellation end it as reaching the end does."""
    contexts = []

    async def work():
        for _ in range(2):
            with guard.purpose("a"):
                contexts.append(contextvars.copy_context())
                if leaves == "error":
                    raise KeyError
                if leaves == "break":
                    break
                if leaves == "return":
                    return
                await asyncio.sleep(60)

    async def run():
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(run())
    assert [context.run(read) for context in contexts] == ["purpose_closed"]


def test_a_lease_dies_in_a_forked_child(guard, read):
    """The child declares its purposes anew; the parent's block goes on."""

    def child():
        reasons = [read()]
        with guard.purpose("a"):
            reasons.append(read())
        with guard.purpose("a", root=True):
            reasons.append(read())
        return [*map(str, reasons), str(read())]

    with guard.purpose("a"):
        assert in_child(child) == ["purpose_closed", "purpose_closed", "granted", "purpose_closed"]
        assert read() == "granted"


def test_a_generator_opened_before_a_fork_is_dead_in_the_child(guard):
    """Its lease is of the parent too, started or not."""

    @guard.access("k", purpose="a")
    def rows():
        yield 1
        yield 2

    begun, new = rows(), rows()
    next(begun)
    reasons = in_child(lambda: [str(reason_of(next, each)) for each in (begun, new)])
    assert reasons == ["purpose_closed", "purpose_closed"]
    assert (next(begun), next(new)) == (2, 1)


def test_a_generator_of_a_forked_child_may_be_read_in_its_threads(guard):
    """In the child itself a call and its consumer in another thread are as anywhere."""

    @guard.access("k", purpose="a")
    def rows():
        yield 1

    def child():
        with guard.purpose("a"):
            made = rows()
            return [reason_of(elsewhere, lambda: next(made))]

    assert in_child(child) == [1]


def test_a_scope_opened_on_a_dead_chain_is_dead(guard):
    """The message names the way out."""
    with guard.purpose("a"):
        context = contextvars.copy_context()

    def inside():
        with guard.purpose("a"):
            guard.check("k")

    with pytest.raises(AccessDeniedError, match="root=True") as caught:
        context.run(inside)
    assert caught.value.decision.reason == "purpose_closed"


def test_leaving_restores_what_was_in_force_as_it_now_stands(guard, read):
    """If that has died meanwhile it stays dead."""
    outer, inner = guard.purpose("a"), guard.purpose("a.b")
    outer.__enter__()
    context = contextvars.copy_context()
    context.run(inner.__enter__)
    assert context.run(read) == "granted"
    outer.__exit__(None, None, None)
    context.run(inner.__exit__, None, None, None)
    assert context.run(read) == "purpose_closed"


def test_after_a_root_scope_comes_the_chain_that_it_hid(guard, read):
    """Live as it was, or dead if it has died meanwhile."""
    outer = guard.purpose("e")
    outer.__enter__()
    context = contextvars.copy_context()

    def rooted():
        with guard.purpose("a", root=True):
            return read()

    assert context.run(rooted) == "granted"
    assert context.run(read) == "not_granted"
    outer.__exit__(None, None, None)
    assert context.run(rooted) == "granted"
    assert context.run(read) == "purpose_closed"


# Scope objects.


def test_a_scope_object_may_be_entered_nested(guard, read):
    """Each leaving ends one of its blocks, the innermost one."""
    scope = guard.purpose("a")
    with scope:
        with scope:
            assert read() == "granted"
        assert read() == "granted"
    assert read() == "purpose_undeclared"


def test_a_scope_object_may_be_entered_from_many_threads(guard, read):
    """What a block opened is in its context, so threads don't disturb each other."""
    scope, together = guard.purpose("a"), threading.Barrier(8, timeout=60)
    seen = []

    def work():
        for _ in range(50):
            with scope:
                together.wait()
                seen.append(read())
            seen.append(read())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(seen) == ["granted"] * 400 + ["purpose_undeclared"] * 400


@pytest.mark.parametrize("kind", ["purpose", "access"])
def test_leaving_in_a_copy_kills_that_lease_and_restores_what_was_before(guard, read, kind):
    """The block is over in the context that opened it too, which is restored when it leaves."""
    scope = guard.purpose("a.c") if kind == "purpose" else guard.access("k", purpose="a.c")
    with guard.purpose("a"):
        scope.__enter__()
        context = contextvars.copy_context()
        context.run(scope.__exit__, None, None, None)
        assert context.run(read) == "granted"
        assert read() == "purpose_closed"
        scope.__exit__(None, None, None)
        assert read() == "granted"


@pytest.mark.parametrize("kind", ["purpose", "access"])
def test_leaving_where_it_was_not_entered_kills_every_lease_of_the_object(guard, read, kind):
    """Bystanders are closed as well: a gap, never a grant. Another object's are not."""
    scope = guard.purpose("a") if kind == "purpose" else guard.access("k", purpose="a")
    bystanders = [contextvars.Context() for _ in range(2)]
    for bystander in bystanders:
        bystander.run(scope.__enter__)
    with guard.purpose("a"):
        scope.__exit__(None, None, None)
        assert read() == "granted"
    assert [each.run(read) for each in bystanders] == ["purpose_closed"] * 2
    for bystander in bystanders:
        bystander.run(scope.__exit__, None, None, None)
    assert [each.run(read) for each in bystanders] == ["purpose_undeclared"] * 2
    with scope:
        assert read() == "granted"


def test_leaving_anywhere_raises_nothing_and_logs_nothing(guard, caplog):
    """Twice, elsewhere, and never entered at all."""
    caplog.set_level(logging.DEBUG)
    for scope in (guard.purpose("a"), guard.access("k", purpose="a")):
        scope.__exit__(None, None, None)
        context = contextvars.copy_context()
        context.run(scope.__enter__)
        for place in (contextvars.Context(), context, context, contextvars.Context()):
            place.run(scope.__exit__, None, None, None)
        elsewhere(lambda scope=scope: scope.__exit__(None, None, None))
    assert caplog.records == []


def test_leaving_never_detaches_another_contexts_values(guard, read):
    """What others have put into the OpenTelemetry Context since then stays there."""
    scope = guard.purpose("a")
    scope.__enter__()
    other = Guard(MATRIX)
    with other.purpose("e"):
        scope.__exit__(None, None, None)
        assert other.check("l").permitted
    assert read() == "purpose_undeclared"


def test_an_access_in_force_stands_beside_the_chain(guard, read):
    """Its end kills nothing: the purposes around it are what they were."""
    with guard.purpose("a"):
        with guard.access("k"):
            context = contextvars.copy_context()
        assert context.run(read) == "granted"


# Handing over.


def kinds_of_work(body):
    """Yield what `guard.carry` takes, each with how to get a result out of what it returns."""

    async def coroutine():
        return body()

    def generator():
        yield body()

    async def async_generator():
        yield body()

    class Callable:
        def __call__(self):
            return body()

    def run(carried):
        return asyncio.run(carried)

    def step(carried):
        return asyncio.run(anext(carried))

    yield body, lambda carried: carried()
    yield Callable(), lambda carried: carried()
    yield coroutine, lambda carried: run(carried())
    yield generator, lambda carried: next(carried())
    yield async_generator, lambda carried: step(carried())
    yield coroutine(), run
    yield generator(), next
    yield async_generator(), step


def test_carry_hands_purposes_over_to_every_kind_of_work(guard):
    """It runs elsewhere, after the block, under what was in force; the record shows it."""
    kinds = list(kinds_of_work(lambda: guard.check("k").reason))
    with guard.purpose("a"), guard.purpose("a.b"):
        carried = [(guard.carry(work), result) for work, result in kinds]
    with capture(guard) as records:
        for work, result in carried:
            assert elsewhere(lambda work=work, result=result: reason_of(result, work)) == "granted"
    assert len(records) == len(kinds)
    assert {(each.carried, each.decision.purposes) for each in records} == {(True, ("a.b",))}


def test_carry_hands_over_to_pools_executors_and_tasks(guard):
    """The usual ways to run work elsewhere take what `carry` returns."""

    def work():
        return guard.check("k").reason

    async def work_soon():
        await asyncio.sleep(0)
        return work()

    async def run():
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor() as pool:
            with guard.purpose("a"):
                carried = guard.carry(work)
                tasks = [asyncio.create_task(guard.carry(work_soon)())]
                tasks.append(asyncio.create_task(guard.carry(work_soon())))
            return [
                pool.submit(carried).result(timeout=60),
                await loop.run_in_executor(None, carried),
                await asyncio.to_thread(carried),
                *await asyncio.gather(*tasks),
            ]

    assert asyncio.run(run()) == ["granted"] * 5


def test_each_carried_call_opens_leases_for_its_own_length(guard, read):
    """They are dead after it, and the next call has its own."""
    contexts = []

    def work():
        contexts.append(contextvars.copy_context())
        return read()

    with guard.purpose("a"):
        carried = guard.carry(work)
    assert [carried(), carried()] == ["granted", "granted"]
    assert [context.run(read) for context in contexts] == ["purpose_closed"] * 2


def test_what_else_the_runner_has_declared_intersects(guard, read):
    """Carried purposes don't push the runner's own ones away."""
    with guard.purpose("a"):
        carried = guard.carry(read)
    with guard.purpose("d"):
        assert carried() == "item_excess"
    with guard.purpose("a.b"):
        assert carried() == "granted"


def test_what_else_the_runner_has_declared_must_be_live(guard, read):
    """On a dead chain carried work is dead, but for the leases that were carried themselves."""
    with guard.purpose("a"):
        carried = guard.carry(read)
        same = contextvars.copy_context()
    with guard.purpose("a"):
        other = contextvars.copy_context()
    assert same.run(read) == "purpose_closed"
    assert same.run(carried) == "granted"
    assert other.run(carried) == "purpose_closed"


def test_carrying_a_dead_chain_is_refused(guard, read):
    """The message says where to carry."""
    with guard.purpose("a"):
        context = contextvars.copy_context()
    with pytest.raises(ScopeError, match="carry while the block is open"):
        context.run(guard.carry, read)


def test_what_can_not_be_carried_is_refused(guard):
    """The message says what can."""
    with pytest.raises(ScopeError, match="give a function"):
        guard.carry([1])


# Generators.


def sync_rows(body):
    """Return a generator function, and how to make a step of what it returns."""

    def rows():
        yield body()
        yield body()

    return rows, next


def async_rows(body):
    """The same for an async generator function."""

    async def rows():
        yield body()
        yield body()

    def step(made):
        return asyncio.run(anext(made))

    return rows, step


def returned_rows(body):
    """The same for a function that returns a generator."""
    made, step = sync_rows(body)

    def rows():
        return made()

    return rows, step


KINDS = pytest.mark.parametrize("kind", [sync_rows, async_rows, returned_rows])
BY_KIND = pytest.mark.parametrize("kind", [sync_rows, async_rows])


@KINDS
def test_calling_a_generator_judges_it(guard, kind):
    """A denial is recorded and raised at the call."""
    rows = guard.access("k")(kind(int)[0])
    with capture(guard) as records:
        assert reason_of(rows) == "purpose_undeclared"
        with guard.purpose("e"):
            assert reason_of(rows) == "not_granted"
    assert [each.reason for each in records] == ["purpose_undeclared", "not_granted"]


def traced_guard():
    """Return a guard, and the spans that it has ended."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return Guard(MATRIX, tracer_provider=provider), exporter.get_finished_spans


@BY_KIND
def test_a_permitted_generator_is_recorded_at_its_first_step(kind):
    """One call is one access: one record and one span, current only while a step runs."""
    guard, spans = traced_guard()
    running = []
    rows, step = kind(lambda: running.append(get_current_span().get_span_context().span_id))
    with guard.purpose("a"), capture(guard) as records:
        made = guard.access("k")(rows)()
        assert list(records) == []
        for _ in range(2):
            step(made)
            assert not get_current_span().get_span_context().is_valid
        assert len(records) == 1
        assert spans() == ()
        with pytest.raises((StopIteration, StopAsyncIteration)):
            step(made)
    assert [span.context.span_id for span in spans()] * 2 == running


@pytest.mark.parametrize("ends", ["exhaustion", "close", "error", "collection"])
@BY_KIND
def test_a_generators_lease_lives_from_its_call_to_its_end(guard, read, kind, ends):
    """Nothing that it has left behind has a purpose then."""
    contexts = []

    def body():
        contexts.append(contextvars.copy_context())
        if ends == "error" and len(contexts) == 2:
            raise KeyError

    rows, step = kind(body)
    made = guard.purpose("a")(rows)()
    step(made)
    assert contexts[0].run(read) == "granted"
    if ends == "close":
        if kind is sync_rows:
            made.close()
        else:
            asyncio.run(made.aclose())
    elif ends == "collection":
        del made
    else:
        with pytest.raises((KeyError, StopIteration, StopAsyncIteration)):
            while True:
                step(made)
    assert {context.run(read) for context in contexts} == {"purpose_closed"}


@KINDS
def test_a_generator_keeps_the_leases_of_its_call(guard, read, kind):
    """Once the caller's block has ended its steps are closed, whatever the consumer declares."""
    rows, step = kind(int)
    with guard.purpose("a"):
        made = guard.access("k", purpose="a")(rows)()
        step(made)
    with guard.purpose("a"):
        assert reason_of(step, made) == "purpose_closed"


@KINDS
def test_a_generators_consumer_must_be_live_and_permit(guard, kind):
    """Its chain at a step is its own purpose, with those of its call and those of the consumer."""
    rows, step = kind(int)
    with guard.purpose("a"):
        dead = contextvars.copy_context()
    with guard.purpose("a"):
        made = [guard.access("k", purpose="a")(rows)() for _ in range(3)]
        with guard.purpose("d"):
            assert reason_of(step, made[0]) == "item_excess"
        assert dead.run(reason_of, step, made[1]) == "purpose_closed"
        assert step(made[2]) == 0


@KINDS
def test_without_a_purpose_of_its_own_caller_and_consumer_must_declare_one(guard, kind):
    """A consumer that declares nothing is a gap."""
    rows, step = kind(int)
    with guard.purpose("a"):
        made = guard.access("k")(rows)()
        assert reason_of(elsewhere, lambda: step(made)) == "purpose_undeclared"


@KINDS
def test_with_a_purpose_of_its_own_nobody_else_needs_one(guard, kind):
    """It was declared where the generator was written."""
    rows, step = kind(int)
    assert step(guard.access("k", purpose="a")(rows)()) == 0


@KINDS
def test_a_resume_that_decides_otherwise_is_an_access_of_its_own(guard, kind):
    """It closes the generator and raises at that step."""
    rows, step = kind(int)
    with guard.purpose("a"), capture(guard) as records:
        made = guard.access("k")(rows)()
        step(made)
        with guard.purpose("e"):
            assert reason_of(step, made) == "not_granted"
        with pytest.raises((StopIteration, StopAsyncIteration)):
            step(made)
    assert [each.reason for each in records] == ["granted", "not_granted"]


def test_a_resume_that_decides_the_same_writes_nothing(guard):
    """Another consumer, or the same purposes in another order, come to the same."""

    @guard.access("l")
    def rows():
        while True:
            yield

    with guard.purpose("a.b"), capture(guard) as records:
        made = rows()
        with guard.purpose("e", root=True):
            next(made)
        with guard.purpose("e"):
            next(made)
        assert len(records) == 1
        next(made)
        assert [each.decision.cells for each in records][1:] == [(("l", "a.b"),)]


# Coroutines.


def test_a_coroutine_is_decided_at_its_first_step(guard):
    """Where it was made does not matter."""

    @guard.access("k")
    async def load():
        return "data"

    with guard.purpose("a"):
        made, never = load(), load()
    never.close()
    assert asyncio.run(reason_of_awaited(made)) == "purpose_undeclared"
    made = load()
    with guard.purpose("a"):
        assert asyncio.run(made) == "data"


@pytest.mark.parametrize("kind", ["coroutine function", "function"])
def test_a_coroutines_result_is_withheld_when_its_leases_have_died(guard, kind):
    """That is an access of its own, `purpose_closed`."""

    async def raw(gate):
        await gate.wait()
        return "data"

    def returning(gate):
        return raw(gate)

    load = guard.access("k")(raw if kind == "coroutine function" else returning)

    async def run():
        gate = asyncio.Event()
        with guard.purpose("a"):
            task = asyncio.create_task(reason_of_awaited(load(gate)))
            await asyncio.sleep(0)
        gate.set()
        return await task

    with capture(guard) as records:
        assert asyncio.run(run()) == "purpose_closed"
    assert [each.reason for each in records] == ["granted", "purpose_closed"]


def test_a_timeout_around_a_coroutine_leaves_the_chain_as_it_was(guard, read):
    """Whether `wait_for` makes a task of it or not, in time or not."""

    @guard.access("k", purpose="a")
    async def load(seconds):
        with guard.purpose("a.b"):
            await asyncio.sleep(seconds)
        return read()

    async def run():
        with guard.purpose("a"):
            assert await asyncio.wait_for(load(0), 60) == "granted"
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(load(60), 0.01)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await load(60)
            assert read() == "granted"
            assert read("l") == "not_granted"
        return read()

    assert asyncio.run(run()) == "purpose_undeclared"


def test_async_with_declares_for_its_task(guard, read):
    """Tasks begun inside have the purpose until the block is left."""

    async def ask(gate):
        await gate.wait()
        return read()

    async def run():
        early, late = asyncio.Event(), asyncio.Event()
        async with guard.purpose("a"):
            tasks = [asyncio.create_task(ask(early)), asyncio.create_task(ask(late))]
            early.set()
            reasons = [await tasks[0], read()]
        late.set()
        return [*reasons, await tasks[1], read()]

    assert asyncio.run(run()) == ["granted", "granted", "purpose_closed", "purpose_undeclared"]


def test_another_lazy_value_is_handed_on_as_it_is(guard):
    """A `map` is read with no further judging: a documented limit."""
    rows = guard.access("k", purpose="a")(lambda: map(str, range(2)))
    assert list(rows()) == ["0", "1"]


# Blocks in generators.


def opened_in(kind, scope, held):
    """Make the first step of a generator that opens a block, which may hold the yield."""

    def straight():
        with scope:
            if held:
                yield
        yield

    async def straight_soon():
        async with scope:
            if held:
                yield
        yield

    if kind == "generator":
        return next(straight())

    async def run():
        made = straight_soon()
        try:
            await anext(made)
        finally:
            await made.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize("held", [True, False], ids=["holds a yield", "holds none"])
@pytest.mark.parametrize("noun", ["purpose", "access"])
@pytest.mark.parametrize("kind", ["generator", "async generator"])
def test_a_block_written_in_a_generator_is_refused(guard, kind, noun, held):
    """The message says to move it into a function, or to decorate the generator."""
    scope = guard.purpose("a") if noun == "purpose" else guard.access("k", purpose="a")
    with pytest.raises(ScopeError, match=rf"move it into a function.*@guard\.{noun}"):
        opened_in(kind, scope, held)


@pytest.mark.parametrize("noun", ["purpose", "access"])
def test_a_block_may_stand_in_a_generator_that_contextlib_drives(guard, read, noun):
    """Its yield is where the body of the with-block runs."""

    def scope():
        return guard.purpose("a") if noun == "purpose" else guard.access("k", purpose="a")

    @contextlib.contextmanager
    def manager():
        with scope():
            yield

    @contextlib.asynccontextmanager
    async def manager_soon():
        async with scope():
            yield

    async def run():
        async with manager_soon():
            return read()

    with manager():
        assert read() == "granted"
    assert read() == "purpose_undeclared"
    assert asyncio.run(run()) == "granted"


def test_only_a_purpose_may_be_declared_across_a_yield(guard, read):
    """`across_yield=True` is for test fixtures, which are driven one step at a time."""

    def fixture():
        with guard.purpose("a", across_yield=True):
            yield

    driven = fixture()
    next(driven)
    assert read() == "granted"
    next(driven, None)
    assert read() == "purpose_undeclared"
    with pytest.raises(TypeError, match="across_yield"):
        guard.access("k", across_yield=True)


def test_a_block_opened_through_an_exit_stack_is_not_seen(guard, read):
    """A documented limit: it leaks to the consumer until the generator goes on."""

    def rows():
        with contextlib.ExitStack() as stack:
            stack.enter_context(guard.purpose("a"))
            yield

    made = rows()
    next(made)
    assert read() == "granted"
    made.close()
    assert read() == "purpose_undeclared"


# Asking.


def test_several_guards_stand_side_by_side(guard, read):
    """A purpose declared to one is nothing to another."""
    other = Guard(MATRIX)
    with guard.purpose("a"), other.purpose("e"):
        assert read() == "granted"
        assert reason_of(lambda: other.check("k").reason) == "not_granted"
    with guard.purpose("a"):
        assert reason_of(lambda: other.check("k").reason) == "purpose_undeclared"


@pytest.mark.parametrize(
    ("chain", "items"),
    [([], ()), (["a"], ("i", "j")), (["d"], ("i",)), (["a", "d"], ("i",)), (["e"], ())],
)
def test_granted_items_are_those_that_the_purposes_in_force_may_see(guard, chain, items):
    """In the policy's order; none where nothing is declared or granted, or the chain is dead."""
    with contextlib.ExitStack() as stack:
        for purpose in chain:
            stack.enter_context(guard.purpose(purpose))
        context = contextvars.copy_context()
        assert guard.granted_items("k") == items
    assert context.run(guard.granted_items, "k") == ()
    assert guard.granted_items("nope") == ()


def test_check_judges_records_and_raises_with_no_call_to_wrap(guard):
    """It names the function it is called from, and leaves nothing open."""
    before = get_current()
    with capture(guard) as records:
        assert guard.check("k", purpose="a").permitted
        with pytest.raises(AccessDeniedError):
            guard.check("k")
    assert [each.reason for each in records] == ["granted", "purpose_undeclared"]
    assert all(each.function.endswith("with_no_call_to_wrap") for each in records)
    assert get_current() == before


def test_check_may_stand_in_a_generator(guard):
    """There is no block that could leak."""

    def rows():
        yield guard.check("k").reason

    with guard.purpose("a"):
        assert list(rows()) == ["granted"]
