"""What is measured on: policies of every size, guards, tracers, and the base span."""

import contextlib
import contextvars
import logging
import random
from collections.abc import Callable
from functools import cache
from typing import Any

from opentelemetry.context import Context, attach
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler
from opentelemetry.trace import set_span_in_context

from purposeguard import Guard, Policy
from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.matrix import compile_document

CATEGORY = "candidate"
PURPOSE = "recruitment.selection"
ELSEWHERE = "marketing.information"
"""A purpose that may not access the category."""

ATTRIBUTES = {
    "purposeguard.category": CATEGORY,
    "purposeguard.purpose": PURPOSE,
    "purposeguard.outcome": "permit",
    "purposeguard.reason": "granted",
    "purposeguard.mode": "enforce",
    "purposeguard.clause": "H2(i)f-1",
    "purposeguard.policy.digest": "0123456789ab",
    "code.function.name": "benchmarks.setting.load",
}
"""What the base span carries: eight strings, the attributes of a permitted access's span."""

# Denials are logged. Where to is not what is measured.
logging.getLogger("purposeguard").addHandler(logging.NullHandler())
logging.getLogger("purposeguard").propagate = False


def load(candidate_id: int) -> int:
    """The function that is guarded: it does nothing."""
    return candidate_id


def provider(sampler: Sampler | None = None) -> TracerProvider:
    """Return an SDK tracer provider whose one processor does nothing."""
    made = TracerProvider(sampler=sampler)
    made.add_span_processor(SpanProcessor())
    return made


recording = provider()
sampled_out = provider(ALWAYS_OFF)
tracer = recording.get_tracer("benchmarks")


def base_span(candidate_id: int) -> int:
    """The base: the plain way to put a span with the same attributes around the same call."""
    with tracer.start_as_current_span("access candidate", attributes=ATTRIBUTES):
        return load(candidate_id)


def inside(
    *opened: contextlib.AbstractContextManager[Any], request: TracerProvider | None = None
) -> contextvars.Context:
    """Return a context in which these blocks were entered and stay open, in a request's span."""
    context = contextvars.Context()
    if request is not None:
        span = request.get_tracer("benchmarks").start_span("request")
        context.run(attach, set_span_in_context(span, Context()))
    for block in opened:
        context.run(block.__enter__)
    return context


def guard_for(policy: Policy, provider: TracerProvider | None = recording, **more: Any) -> Guard:
    """Return a guard whose spans go to a provider of its own, or nowhere."""
    return Guard(policy, tracer_provider=provider, **more)


def purposes(count: int) -> list[str]:
    """Return the names of a hierarchy of purposes, three deep, parents before children."""
    names = []
    for number in range(count):
        block, place = divmod(number, 10)
        child = f"p{block}.c{place if place < 4 else (place - 4) // 2 + 1}"
        names.append(f"p{block}" if place == 0 else child if place < 4 else f"{child}.g{place}")
    return names


def categories(count: int) -> list[str]:
    """Return the names of that many categories."""
    return [f"k{number}" for number in range(count)]


@cache
def document(rows: int, columns: int, grants: int) -> PolicyDocument:
    """Return a policy document of that size, its grants spread at random, always the same.

    A few prohibitions, on purposes of their own, make the compiler look for dead grants.
    """
    chosen = random.Random(0).sample(range(rows * columns), grants)
    names, keys = purposes(columns), categories(rows)
    prohibitions = [
        {"category": key, "purpose": "prohibited", "clauses": ["C"]} for key in keys[::10]
    ]
    matrix: dict[str, dict[str, Any]] = {}
    for cell in chosen:
        row, column = divmod(cell, columns)
        matrix.setdefault(keys[row], {})[names[column]] = {"clauses": [f"C{cell}"]}
    return PolicyDocument.model_validate(
        {
            "purposeguard": 1,
            "policy": "benchmark",
            "version": "1",
            "purposes": {name: {"title": name} for name in (*names, "prohibited")},
            "categories": {key: {"title": key, "items": ["name", "contact"]} for key in keys},
            "matrix": matrix,
            "prohibitions": prohibitions,
        }
    )


@cache
def policy(rows: int, columns: int, grants: int) -> Policy:
    """Return the compiled policy of a document of that size."""
    compiled, problems = compile_document(document(rows, columns, grants))
    if compiled is None:
        raise AssertionError(problems)
    return compiled


def swallowing(call: Callable[[], object], error: type[Exception]) -> Callable[[], None]:
    """Return a call of which this error is expected."""

    def swallowed() -> None:
        try:
            call()
        except error:
            pass

    return swallowed
