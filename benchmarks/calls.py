"""Budgets 2, 4 and 6: guarded calls and scopes, beside the base span."""

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import replace
from typing import Any

from benchmarks.measuring import Case, Figure, Size, figures
from benchmarks.setting import (
    ATTRIBUTES,
    CATEGORY,
    ELSEWHERE,
    PURPOSE,
    base_span,
    guard_for,
    inside,
    load,
    recording,
    sampled_out,
    swallowing,
    tracer,
)
from purposeguard import AccessRecord, Guard, OutOfPurposeError, bundled_policy

STEPS = 200

policy = bundled_policy("smarthr")


def spans(size: Size) -> Iterator[Figure]:
    """Measure budgets 2, 4 and 6, and the same calls inside the span of a request."""
    guard, silent, unsampled = (guard_for(policy, each) for each in (recording, None, sampled_out))
    guarded, unseen, dropped = (each.access(CATEGORY)(load) for each in (guard, silent, unsampled))
    listed = {**ATTRIBUTES, "purposeguard.clause": ("H2(i)f-1",)}

    def base_with_a_list(candidate_id: int) -> int:
        with tracer.start_as_current_span("access candidate", attributes=listed):
            return load(candidate_id)

    def declare() -> None:
        with guard.purpose(PURPOSE):
            pass

    here = inside(guard.purpose(PURPOSE))
    request = inside(guard.purpose(PURPOSE), request=recording)
    unsampled_request = inside(unsampled.purpose(PURPOSE), request=sampled_out)
    yield from figures(
        [
            Case("base span: `start_as_current_span`, 8 strings", lambda: base_span(7), here),
            Case("the same, the clause as a list of one", lambda: base_with_a_list(7), here),
            Case("guarded call, span recorded", lambda: guarded(7), here, 1, "2", 0.95),
            Case(
                "guarded call, no SDK",
                lambda: unseen(7),
                inside(silent.purpose(PURPOSE)),
                1,
                "4",
                0.08,
            ),
            Case(
                "guarded call, sampled out",
                lambda: dropped(7),
                inside(unsampled.purpose(PURPOSE)),
                1,
                "4",
                0.25,
            ),
            Case(
                "the same, in a request that is sampled out",
                lambda: dropped(7),
                unsampled_request,
                1,
                "4",
                0.25,
            ),
            Case("`with guard.purpose(…)`", declare, inside(), 1, "6", 0.12),
            Case("the same, inside another purpose", declare, inside(guard.purpose("recruitment"))),
        ],
        size,
    )
    yield from figures(
        [
            Case("base span in a request's span", lambda: base_span(7), request),
            Case("the same, the clause as a list of one", lambda: base_with_a_list(7), request),
            Case("guarded call in a request's span", lambda: guarded(7), request),
        ],
        size,
    )


class Nowhere:
    """An outlet that drops every record."""

    def record(self, record: AccessRecord) -> None:
        pass


def kinds(size: Size) -> Iterator[Figure]:
    """Measure what has no budget: the other kinds of callable, people, and denials."""
    guard = guard_for(policy)
    observing = guard_for(policy, mode="observe")
    recorded = guard_for(policy, subject_key=b"0123456789abcdef")
    recorded._exchange(lambda state: replace(state, outlets=(Nowhere(),)))
    here, there = inside(guard.purpose(PURPOSE)), inside(recorded.purpose(PURPOSE))
    access = guard.access(CATEGORY)
    both = guard.access(CATEGORY, purpose=PURPOSE)(load)
    plain, denied, observed = access(load), access(load), observing.access(CATEGORY)(load)

    class Repository:
        @access
        def load(self, candidate_id: int) -> int:
            return candidate_id

    repository = Repository()

    @access
    async def coroutine(candidate_id: int) -> int:
        return candidate_id

    @access
    def generator() -> Iterator[int]:
        yield from range(STEPS)

    @access
    async def async_generator() -> AsyncIterator[int]:
        for number in range(STEPS):
            yield number

    async def base_coroutine(candidate_id: int) -> int:
        with tracer.start_as_current_span("access candidate", attributes=ATTRIBUTES):
            return candidate_id

    async def all_of() -> None:
        async for _ in async_generator():
            pass

    def block() -> None:
        with guard.access(CATEGORY):
            pass

    def subject(guard: Guard, **named: Any) -> Callable[[], object]:
        guarded = guard.access(CATEGORY, **named)(load)
        return lambda: guarded(7)

    yield from figures(
        [
            Case("base span again", lambda: base_span(7), here),
            Case("guarded function", lambda: plain(7), here),
            Case("guarded method", lambda: repository.load(7), here),
            Case("function with its own purpose", lambda: both(7), here),
            Case("base span in a coroutine", lambda: driven(base_coroutine(7)), here),
            Case("guarded coroutine function", lambda: driven(coroutine(7)), here),
            Case("guarded generator, a step", lambda: list(generator()), here, STEPS),
            Case("guarded async generator, a step", lambda: driven(all_of()), here, STEPS),
            Case("`with guard.access(…)`", block, here),
            Case("subject by name, no record kept", subject(guard, subject="candidate_id"), here),
            Case("no subject, a record made and dropped", subject(recorded), there),
            Case(
                "subject by name, hashed for a record",
                subject(recorded, subject="candidate_id"),
                there,
            ),
            Case(
                "subject by a callable, hashed for a record",
                subject(recorded, subject=lambda bound: bound.arguments["candidate_id"]),
                there,
            ),
            Case(
                "denial, enforced: raised and caught",
                swallowing(lambda: denied(7), OutOfPurposeError),
                inside(guard.purpose(ELSEWHERE)),
            ),
            Case("denial, observed", lambda: observed(7), inside(observing.purpose(ELSEWHERE))),
        ],
        size,
    )


def driven(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Run a coroutine that never waits."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    raise AssertionError("it waits")
