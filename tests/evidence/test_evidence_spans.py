"""Spans: one for each access, with names of data and nothing of the application in it."""

import contextlib

import pytest
from evidence_kit import KINDS, LATE, POLICY, Telemetry, function_name
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import SpanKind, StatusCode

from purposeguard import AccessDeniedError, OutOfPurposeError, UndecidedAccessError
from purposeguard.testing import capture


class ApplicationError(Exception):
    """What guarded code raises by itself."""


def expected(kind, **attributes):
    """Return the attributes that every span has, with those of one access."""
    return {
        "purposeguard.category": "buyer",
        "purposeguard.purpose": "order.delivery",
        "purposeguard.outcome": "permit",
        "purposeguard.reason": "granted",
        "purposeguard.mode": "enforce",
        "purposeguard.clause": ("S1", "S1b"),
        "purposeguard.policy.digest": POLICY.digest[:12],
        "code.function.name": function_name(kind),
        **{name.replace("__", "."): value for name, value in attributes.items()},
    }


def denied(kind, mode):
    """Return the attributes of an access for a purpose that may not see all items."""
    blocked = {"error__type": "OutOfPurposeError"} if mode == "enforce" else {}
    return expected(
        kind,
        purposeguard__purpose="advice",
        purposeguard__outcome="violation",
        purposeguard__reason="item_excess",
        purposeguard__mode=mode,
        purposeguard__clause=("S2",),
        **blocked,
    )


def is_bare(span):
    """Whether a span is internal and holds no event, link or description."""
    return (
        span.kind is SpanKind.INTERNAL
        and not span.events
        and not span.links
        and span.status.description is None
    )


@pytest.mark.parametrize("recorded", [False, True], ids=["alone", "with an outlet"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_permitted_call_is_one_span_around_the_call(kind, recorded):
    """It has the attributes that are always there and no other, and is current inside the call."""
    telemetry = Telemetry()
    guard = telemetry.guard()

    def body(value):
        with telemetry.tracer.start_as_current_span("inside"):
            return value

    touch = KINDS[kind](guard, body, "buyer")
    with (
        capture(guard) if recorded else contextlib.nullcontext(),
        guard.purpose("order.delivery"),
        telemetry.tracer.start_as_current_span("outside") as outside,
    ):
        touch(7)
        telemetry.spans()
        assert touch(7) == 7  # now prepared: alone it takes the shortest way
        assert trace.get_current_span() is outside
    inside, access, _ = telemetry.all_spans()
    assert (inside.name, access.name) == ("inside", "access buyer")
    assert inside.parent.span_id == access.context.span_id
    assert access.parent.span_id == outside.get_span_context().span_id
    assert access.instrumentation_scope.name == "purposeguard"
    assert dict(access.attributes) == expected(kind)
    assert is_bare(access)
    assert access.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("kind", KINDS)
def test_a_failing_call_leaves_its_exception_out_of_the_span(kind):
    """What the application raises goes through as it is, and neither status nor event says so."""
    telemetry = Telemetry()
    guard = telemetry.guard()

    def body(value):
        raise ApplicationError("of the application")

    touch = KINDS[kind](guard, body, "buyer")
    with guard.purpose("order.delivery"):
        for _ in range(2):
            telemetry.spans()
            with pytest.raises(ApplicationError):
                touch(7)
    assert not trace.get_current_span().get_span_context().is_valid
    (access,) = telemetry.spans()
    assert dict(access.attributes) == expected(kind)
    assert is_bare(access)
    assert access.status.status_code is StatusCode.UNSET


@pytest.mark.parametrize("kind", KINDS)
def test_a_blocked_call_is_an_error_span(kind):
    """In enforce a denied call has status ERROR and its error type, and its body does not run."""
    telemetry = Telemetry()
    guard = telemetry.guard()
    ran = []
    touch = KINDS[kind](guard, ran.append, "buyer")
    with guard.purpose("advice"), pytest.raises(OutOfPurposeError):
        touch(7)
    (access,) = telemetry.spans()
    assert dict(access.attributes) == denied(kind, "enforce")
    assert is_bare(access)
    assert access.status.status_code is StatusCode.ERROR
    assert not ran


@pytest.mark.parametrize("kind", KINDS)
def test_an_observed_call_leaves_the_status_unset(kind):
    """In observe a denied call is no error of the span, which is around the call all the same."""
    telemetry = Telemetry()
    guard = telemetry.guard(mode="observe")
    seen = []

    def body(value):
        seen.append(trace.get_current_span().get_span_context().span_id)
        return value

    touch = KINDS[kind](guard, body, "buyer")
    with guard.purpose("advice"):
        assert touch(7) == 7
    (access,) = telemetry.spans()
    assert dict(access.attributes) == denied(kind, "observe")
    assert is_bare(access)
    assert access.status.status_code is StatusCode.UNSET
    assert seen == [access.context.span_id]


def _carried(guard):
    with guard.purpose("order.delivery"):
        work = guard.carry(lambda: guard.check("buyer"))
    work()


def _nested(guard):
    with guard.purpose("advice"), guard.purpose("order.delivery"):
        guard.check("buyer", items=["name"])


def _refined(guard):
    with guard.purpose("order"), guard.purpose("order.delivery"):
        guard.check("buyer")


def _root(guard):
    with guard.purpose("advice"), guard.purpose("order.delivery", root=True):
        guard.check("buyer")


def _checks(purpose="order.delivery", **access):
    def run(guard):
        with guard.purpose(purpose):
            guard.check("buyer", **access)

    return run


SOMETIMES = {
    "items": (_checks(items=["name"]), {"items": ("name",)}),
    "items in their order": (_checks(items=("address", "name")), {"items": ("address", "name")}),
    "several purposes": (
        _nested,
        {
            "items": ("name",),
            "purposes": ("advice", "order.delivery"),
            "clause": ("S1", "S1b", "S2"),
        },
    ),
    "a purpose and its parent": (_refined, {}),
    "a child of the cell": (
        _checks("order.delivery.notice"),
        {"purpose": "order.delivery.notice"},
    ),
    "operation": (_checks(operation="store"), {"operation": "store"}),
    "use": (_checks(operation="use"), {}),
    "recipient": (
        _checks(recipient="carrier", items=["name"]),
        {
            "recipient": "carrier",
            "operation": "provide",
            "items": ("name",),
            "clause": ("S1", "S1b", "S6"),
        },
    ),
    "root": (_root, {"root": True}),
    "carried": (_carried, {"carried": True}),
}


@pytest.mark.parametrize("case", SOMETIMES)
def test_attributes_are_added_only_where_they_say_something(case):
    """Items, purposes, operation, recipient, root and carried are there for what differs."""
    run, added = SOMETIMES[case]
    telemetry = Telemetry()
    guard = telemetry.guard()
    run(guard)
    (access,) = telemetry.spans()
    shown = dict(access.attributes)
    assert shown.pop("code.function.name").startswith(__name__)
    wanted = expected("function")
    del wanted["code.function.name"]
    wanted |= {f"purposeguard.{name}": value for name, value in added.items()}
    assert shown == wanted


UNKNOWN = {
    "undeclared": (None, "buyer", "purpose_undeclared", "access buyer"),
    "purpose": ("no_such_purpose", "buyer", "purpose_unknown", "access buyer"),
    "category": ("order.delivery", "no_such_category", "category_unknown", "access"),
    "both": ("no_such_purpose", "no_such_category", "category_unknown", "access"),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_names_that_the_policy_lacks_do_not_name_spans(case):
    """An unknown category gives `access`; purpose is left out where no known one is in force."""
    purpose, category, reason, name = UNKNOWN[case]
    telemetry = Telemetry()
    guard = telemetry.guard(mode="observe")
    with guard.purpose(purpose) if purpose else contextlib.nullcontext():
        guard.check(category)
    (access,) = telemetry.spans()
    assert (access.name, access.attributes["purposeguard.reason"]) == (name, reason)
    assert ("purposeguard.category" in access.attributes) == (category == "buyer")
    assert ("purposeguard.purpose" in access.attributes) == (purpose == "order.delivery")


def test_without_a_policy_spans_say_so():
    """A guard that has loaded nothing names no category, no purpose and no digest."""
    telemetry = Telemetry()
    guard = telemetry.guard(None)
    with guard.purpose("order.delivery"), pytest.raises(UndecidedAccessError):
        guard.check("buyer")
    (access,) = telemetry.spans()
    assert access.name == "access"
    assert access.attributes["purposeguard.reason"] == "policy_not_loaded"
    assert access.attributes["purposeguard.policy.digest"] == ""
    assert not {"purposeguard.category", "purposeguard.purpose"} & set(access.attributes)


class Watching(Sampler):
    """Keeps what it is asked about, and samples what `keep` says."""

    def __init__(self, keep=lambda name: True):
        self.asked = []
        self._keep = keep

    def should_sample(
        self, parent_context, trace_id, name, kind=None, attributes=None, links=None, **more
    ):
        self.asked.append((name, kind, dict(attributes or {})))
        decision = Decision.RECORD_AND_SAMPLE if self._keep(name) else Decision.DROP
        return SamplingResult(decision, attributes)

    def get_description(self):
        return "watching"


@pytest.mark.parametrize("purpose", ["order.delivery", "advice"])
def test_a_sampler_sees_every_attribute(purpose):
    """Attributes are set when the span starts, so sampling can depend on the outcome."""
    sampler = Watching()
    telemetry = Telemetry(sampler)
    guard = telemetry.guard()
    with guard.purpose(purpose), contextlib.suppress(AccessDeniedError):
        guard.check("buyer")
    (access,) = telemetry.spans()
    assert sampler.asked == [("access buyer", SpanKind.INTERNAL, dict(access.attributes))]


def test_a_span_that_is_not_sampled_does_not_hide_the_one_around_it():
    """Spans inside an access that a sampler drops belong to the span outside, which is exported."""
    telemetry = Telemetry(Watching(lambda name: not name.startswith("access")))
    guard = telemetry.guard()

    @guard.access("buyer")
    def touch():
        with telemetry.tracer.start_as_current_span("inside"):
            pass

    with guard.purpose("order.delivery"), telemetry.tracer.start_as_current_span("outside"):
        touch()
    inside, outside = telemetry.all_spans()
    assert inside.parent.span_id == outside.context.span_id


def current():
    """Return the id of the span that is current."""
    return trace.get_current_span().get_span_context().span_id


def test_the_span_of_a_generator_is_current_only_while_a_step_runs():
    """Consumer code between steps runs under its own span, and one call is one span."""
    telemetry = Telemetry()
    guard = telemetry.guard()

    @guard.access("buyer")
    def rows():
        while True:
            yield current()

    with guard.purpose("order.delivery"), telemetry.tracer.start_as_current_span("outside"):
        before = current()
        first, second = rows(), rows()
        steps = [next(each) for each in (first, second, first, second)]
        assert current() == before
        assert telemetry.all_spans() == ()
        first.close()
        second.close()
        assert current() == before
    spans = telemetry.spans()
    assert steps == [span.context.span_id for span in spans] * 2
    assert len({before, *steps}) == 3


def test_a_generator_that_is_never_stepped_leaves_no_span():
    """A permit is recorded at the first step: a call that touches nothing is no access."""
    telemetry = Telemetry()
    guard = telemetry.guard()

    @guard.access("buyer")
    def rows():
        yield 1

    with guard.purpose("order.delivery"):
        rows().close()
        assert not any(telemetry.counts().values())
    assert telemetry.spans() == []


def test_a_step_that_decides_otherwise_is_a_span_of_its_own():
    """The span of the steps before ends as it was, and the blocked step has one with the error."""
    telemetry = Telemetry()
    guard = telemetry.guard()

    @guard.access("buyer")
    def rows():
        yield 1
        yield 2

    with guard.purpose("order.delivery"):
        stepped = rows()
        next(stepped)
        with guard.purpose("advice"), pytest.raises(OutOfPurposeError):
            next(stepped)
    permitted, blocked = telemetry.spans()
    assert permitted.attributes["purposeguard.reason"] == "granted"
    assert permitted.status.status_code is StatusCode.UNSET
    assert blocked.attributes["purposeguard.reason"] == "item_excess"
    assert blocked.attributes["purposeguard.purposes"] == ("order.delivery", "advice")
    assert blocked.status.status_code is StatusCode.ERROR


def test_stacked_accesses_are_a_span_each():
    """A function that touches two categories nests their spans, and runs if both are permitted."""
    telemetry = Telemetry()
    guard = telemetry.guard()

    @guard.access("employee", items=["name"])
    @guard.access("buyer")
    def touch():
        return current()

    with guard.purpose("order.delivery"):
        inner = touch()
    buyer, employee = telemetry.spans()
    assert (buyer.name, employee.name) == ("access buyer", "access employee")
    assert buyer.parent.span_id == employee.context.span_id
    assert buyer.context.span_id == inner


def test_late_kinds_have_their_span_around_what_runs_late():
    """The kinds that return something lazy are in the table: their body sees the access's span."""
    for kind in LATE:
        telemetry = Telemetry()
        guard = telemetry.guard()
        touch = KINDS[kind](guard, lambda _: current(), "buyer")
        with guard.purpose("order.delivery"):
            seen = touch(7)
        (access,) = telemetry.spans()
        assert access.context.span_id == seen
        assert access.end_time >= access.start_time
