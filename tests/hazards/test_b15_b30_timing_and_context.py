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
from purposeguard import AccessDeniedError, ScopeError, UndecidedAccessError
from purposeguard.testing import capture

GRANTED = NaiveGuard({"candidate": {"hiring"}})

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


@attack(iterate, send, throw_in)
def test_b15_generator_begun_under_one_purpose_goes_on_under_another(guard, step):
    """A permitted first step is no licence for the next one."""
    with guard.purpose("hiring"):
        generator = stepped(guard)
        next(generator)
    with guard.purpose("ads"):
        return step(generator)


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
    assert reason_of(lambda: next(generator)) == "purpose_closed"
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


def as_a_task(coroutine):
    return asyncio.create_task(coroutine)


def awaited(coroutine):
    return coroutine


def gathered(coroutine):
    async def first():
        return (await asyncio.gather(coroutine))[0]

    return first()


def in_a_task_group(coroutine):
    async def run():
        async with asyncio.TaskGroup() as group:
            task = group.create_task(coroutine)
        return task.result()

    return run()


def waited_for(coroutine):
    return asyncio.wait_for(coroutine, 60)


def on_another_loop(coroutine):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        got = pool.submit(asyncio.run, coroutine).result()
    done = asyncio.get_running_loop().create_future()
    done.set_result(got)
    return done


def coroutine_function(guard):
    @guard.access("candidate")
    async def load():
        return DATA

    return load


def generator_based(guard):
    @guard.access("candidate")
    @types.coroutine
    def load():
        yield from asyncio.sleep(0).__await__()
        return DATA

    async def use(load):
        return await load

    return lambda: use(load())


@attack(awaited, as_a_task, gathered, waited_for, on_another_loop)
async def test_b17_coroutine_created_under_one_purpose_awaited_under_another(guard, way):
    """A coroutine is decided when it first runs, under the purposes in force there."""
    with guard.purpose("hiring"):
        coroutine = _unawaited(guard)
    with guard.purpose("ads"):
        return await way(coroutine)


@attack(awaited, as_a_task, gathered, in_a_task_group.__wrapped__)
async def test_b17_coroutine_awaited_after_its_purpose_has_ended(guard, way):
    """With nothing declared where it runs there is nothing to permit it."""
    with guard.purpose("hiring"):
        coroutine = _unawaited(guard)
    return await way(coroutine)
