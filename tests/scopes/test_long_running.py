"""What only shows after a long time: memory, and generators that the collector closes."""

import asyncio
import gc
import subprocess
import sys
import tracemalloc

import pytest
from scope_world import MATRIX

from purposeguard import Guard
from purposeguard.scope import Chain

TICKS = 4_000
BYTES_A_TICK = 60


def root_block(guard, go_on):
    def tick():
        with guard.purpose("a", root=True):
            guard.check("k")
            go_on(tick)

    return tick


def ended_block(guard, go_on):
    def tick():
        with guard.purpose("a"):
            go_on(tick)

    return tick


def access_block(guard, go_on):
    def tick():
        with guard.purpose("a", root=True), guard.access("k"):
            go_on(tick)

    return tick


def decorated(guard, go_on):
    @guard.purpose("a", root=True)
    def tick():
        guard.check("k")
        go_on(tick)

    return tick


def task(guard, go_on):
    @guard.purpose("a", root=True)
    async def work():
        guard.check("k")
        go_on(tick)

    tasks = []

    def tick():
        tasks[:] = [asyncio.ensure_future(work())]

    return tick


def carried(guard, go_on):
    def tick():
        guard.check("k")
        go_on(guard.carry(tick))

    with guard.purpose("a"):
        return guard.carry(tick)


KINDS = [root_block, ended_block, access_block, decorated, task, carried]


async def bytes_a_tick(make, ticks):
    """Run work that schedules itself from inside its scope; return what each round has left."""
    guard, loop = Guard(MATRIX), asyncio.get_running_loop()
    done = loop.create_future()
    left = ticks

    def go_on(tick):
        nonlocal left
        left -= 1
        if left:
            loop.call_soon(tick)
        else:  # here, where the last context is still at hand
            gc.collect()
            done.set_result(tracemalloc.get_traced_memory()[0] / ticks)

    with guard.purpose("a"):
        loop.call_soon(make(guard, go_on))
        tracemalloc.start()
        try:
            return await done
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_work_that_schedules_itself_keeps_memory_flat(make):
    """A context that hands ended scopes on and on does not hold on to them."""
    assert asyncio.run(bytes_a_tick(make, TICKS)) < BYTES_A_TICK


@pytest.mark.parametrize("make", [root_block, ended_block], ids=lambda make: make.__name__)
def test_memory_would_grow_if_chains_were_not_shortened(make, monkeypatch):
    """The measurement can fail."""
    monkeypatch.setattr(Chain, "shortened", lambda chain: chain)
    assert asyncio.run(bytes_a_tick(make, 1_000)) > BYTES_A_TICK


ABANDONED = """
import asyncio
from contextvars import copy_context
from purposeguard import Guard, bundled_policy
guard = Guard(bundled_policy("smarthr"))
@guard.purpose("recruitment.selection")
def rows():
    yield 1
    yield 2
class Never:
    def __await__(self):
        yield
@guard.purpose("recruitment.selection")
async def fetch():
    await Never()
@guard.purpose("recruitment.selection")
async def stream():
    yield 1
    yield 2
async def anext_of(held):
    return await anext(held)
class Cycle:
    pass
def leave(make, step):
    cycle = Cycle()
    cycle.itself = cycle
    cycle.held = make()
    step(cycle.held)
for _ in range(60_000):
    leave(rows, next)
    with guard.purpose("recruitment.selection"):
        pass
for _ in range(3_000):
    leave(stream, lambda held: asyncio.run(anext_of(held)))
    with guard.purpose("recruitment.selection"):
        pass
for _ in range(20_000):
    copy_context().run(leave, fetch, lambda held: held.send(None))
    with guard.purpose("recruitment.selection"):
        pass
print("went through")
"""


def test_generators_that_the_collector_closes_do_no_harm():
    """Suspended generators and coroutines in cycles, collected at any moment.

    Before Python 3.12 the interpreter dies of it unless the guard keeps clear of the collector.
    """
    ran = subprocess.run([sys.executable, "-c", ABANDONED], capture_output=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, b"went through\n")
