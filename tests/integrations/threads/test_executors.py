"""Threads: what carries a purpose into them, and that nothing else does."""

import asyncio
import contextvars
import multiprocessing
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest
from opentelemetry.instrumentation.threading import ThreadingInstrumentor

from integrations.web_kit import Data
from purposeguard import AccessDeniedError
from purposeguard.integrations.executors import CarryingExecutor
from purposeguard.testing import capture


@pytest.fixture
def data():
    """A guard, and guarded data."""
    return Data()


@pytest.fixture
def instrumented():
    """Threads instrumented by OpenTelemetry."""
    instrumentor = ThreadingInstrumentor()
    instrumentor.instrument()
    yield
    instrumentor.uninstrument()


def in_thread(work):
    """Return what work comes to in a thread."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


def in_timer(work):
    """Return what work comes to in a timer's thread."""
    found = []
    timer = threading.Timer(0.001, lambda: found.append(work()))
    timer.start()
    timer.join()
    return found[0]


def in_pool(work):
    """Return what work comes to in a pool."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def in_loop(work, pool=None):
    """Return what work comes to in an event loop's executor."""

    async def main():
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    return asyncio.run(main())


PLACES = [in_thread, in_timer, in_pool, in_loop]


@pytest.mark.parametrize("place", PLACES)
def test_a_thread_has_no_purpose_of_its_own(place, data):
    """A gap, whose message names the fix."""

    def work():
        with pytest.raises(AccessDeniedError) as denied:
            data.customer()
        return str(denied.value)

    with data.guard.purpose("support"):
        assert "hand it to other threads or later work with `guard.carry(…)`" in place(work)


@pytest.mark.parametrize("place", PLACES)
def test_carry(place, data):
    """Each call opens the purposes anew, also after the block that they came from."""
    with data.guard.purpose("support"):
        carried = data.guard.carry(data.reason)
        assert place(carried) == "granted"
    assert place(carried) == "granted"
    assert place(data.reason) == "purpose_undeclared"


@pytest.mark.parametrize("place", [in_thread, in_timer, in_pool])
def test_opentelemetrys_threading_instrumentation(place, data, instrumented):
    """It carries the context, and with it the chain: for as long as the block is open."""
    with data.guard.purpose("support"):
        assert place(data.reason) == "granted"
    assert place(data.reason) == "purpose_undeclared"


@pytest.mark.parametrize("also", [False, True], ids=["alone", "instrumented"])
def test_the_executor(also, data, request):
    """Submitted, mapped and run by a loop: the purposes of where it was handed over."""
    if also:
        request.getfixturevalue("instrumented")
    with CarryingExecutor(data.guard, max_workers=2, thread_name_prefix="carrying") as pool:
        with data.guard.purpose("support"):
            waiting = [pool.submit(data.reason) for _ in range(10)]
            assert list(pool.map(lambda _: data.reason(), range(10))) == ["granted"] * 10
        with data.guard.purpose("ads"):
            waiting += [pool.submit(data.reason) for _ in range(10)]
        waiting.append(pool.submit(data.reason))
        found = [each.result() for each in waiting]
    assert found == ["granted"] * 10 + ["not_granted"] * 10 + ["purpose_undeclared"]


def test_the_executor_of_a_loop(data):
    """By name, and as its default one."""

    async def main(pool):
        loop = asyncio.get_running_loop()
        loop.set_default_executor(pool)
        with data.guard.purpose("support"):
            return [
                await loop.run_in_executor(pool, data.reason),
                await loop.run_in_executor(None, data.reason),
                await asyncio.to_thread(data.reason),
            ]

    with CarryingExecutor(data.guard) as pool:
        assert asyncio.run(main(pool)) == ["granted"] * 3


def test_the_record_says_that_it_was_handed_over(data):
    """As for whatever is carried."""
    with (
        CarryingExecutor(data.guard) as pool,
        capture(data.guard) as seen,
        data.guard.purpose("support"),
    ):
        pool.submit(data.customer).result()
    assert [(each.outcome, each.carried) for each in seen] == [("permit", True)]


def test_nothing_is_left_in_a_worker(data):
    """Not by work that fails either."""

    def fails():
        raise ValueError(data.reason())

    with CarryingExecutor(data.guard, max_workers=1) as pool:
        with data.guard.purpose("support"):
            failed = pool.submit(fails)
        assert str(failed.exception()) == "granted"
        assert ThreadPoolExecutor.submit(pool, data.reason).result() == "purpose_undeclared"


@pytest.mark.parametrize("also", [False, True], ids=["alone", "instrumented"])
def test_a_dead_chain_is_not_handed_over(also, data, request):
    """What runs for it is a gap: a loop looks up names in its executor as well."""
    if also:
        request.getfixturevalue("instrumented")
    gap = "purpose_closed" if also else "purpose_undeclared"
    with data.guard.purpose("support"):
        copied = contextvars.copy_context()
    with CarryingExecutor(data.guard, max_workers=1) as pool:
        assert copied.run(pool.submit, data.reason).result() == gap
        with data.guard.purpose("support"):
            assert pool.submit(data.reason).result() == "granted"


def test_a_task_that_outlives_its_block_still_reaches_others(data):
    """In a loop whose default executor carries: only its accesses are gaps."""

    async def outliving(ended):
        await ended.wait()
        return await asyncio.to_thread(int, "7"), await asyncio.to_thread(data.reason)

    async def main(pool):
        loop = asyncio.get_running_loop()
        loop.set_default_executor(pool)
        ended = asyncio.Event()
        with data.guard.purpose("support"):
            task = asyncio.create_task(outliving(ended))
            await asyncio.sleep(0)
        ended.set()
        return await task

    with CarryingExecutor(data.guard) as pool:
        assert asyncio.run(main(pool)) == (7, "purpose_closed")


SHARED = Data()


def shared_reason():
    """What a process that has this module answers."""
    return SHARED.reason()


@pytest.mark.parametrize(
    ("method", "reason"), [("fork", "purpose_closed"), ("spawn", "purpose_undeclared")]
)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from 3.12 on, for our threads
def test_processes_carry_nothing(method, reason):
    """Whichever way they are started: a worker declares its own purpose."""
    context = multiprocessing.get_context(method)
    with SHARED.guard.purpose("support"), ProcessPoolExecutor(1, mp_context=context) as pool:
        assert SHARED.reason() == "granted"
        assert pool.submit(shared_reason).result() == reason
