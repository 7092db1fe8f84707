"""B57 to B62: data and foreign names on their way into errors, evidence and other services."""

import asyncio
import logging

import pytest
from hazard_kit import DATA, GRANTS, loader, new_guard, reason_of
from naive import DeniedError, NaiveGuard
from opentelemetry import context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from purposeguard import AccessDeniedError, UndecidedAccessError, UnknownNameError
from purposeguard.testing import capture

CANARY = "mika@example.invalid"

# B57


def of_a_function(guard):
    guard.access("candidate")(lambda *args, **kwargs: DATA)(CANARY, key=CANARY)


def of_a_method(guard):
    class Candidate:
        def __repr__(self):
            return CANARY

        @guard.access("candidate")
        def load(self, key):
            return DATA

    Candidate().load(CANARY)


def of_a_property(guard):
    class Candidate:
        def __repr__(self):
            return CANARY

        @property
        @guard.access("candidate")
        def name(self):
            return DATA

    Candidate().name


def of_a_coroutine(guard):
    @guard.access("candidate")
    async def load(key):
        return DATA

    asyncio.run(load(CANARY))


def of_a_generator(guard):
    @guard.access("candidate")
    def load(key):
        yield DATA

    next(load(CANARY))


def of_a_later_step(guard):
    @guard.access("candidate")
    def load(key):
        yield CANARY
        yield key

    with guard.purpose("hiring"):
        generator = load(CANARY)
        next(generator)
    next(generator)


def of_a_subject(guard):
    guard.access("candidate", subject="key")(lambda key: DATA)(CANARY)


def of_a_bad_subject(guard):
    guard.access("candidate", subject="key")(lambda key: DATA)([CANARY.encode()])


def of_a_block(guard):
    with guard.access("candidate", subject=CANARY):
        pass


def of_a_check(guard):
    guard.check("candidate", subject=CANARY, customer=[CANARY])


KINDS = [
    *(of_a_function, of_a_method, of_a_property, of_a_coroutine, of_a_generator, of_a_later_step),
    *(of_a_subject, of_a_bad_subject, of_a_block, of_a_check),
]


def shown_by_a_crash_reporter(error):
    """Return the text, the arguments and the frames' locals of an error and of all behind it."""
    shown, seen = [], set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        shown += [str(error), repr(error), repr(error.args)]
        traceback = error.__traceback__
        while traceback is not None:
            frame = traceback.tb_frame
            if frame.f_globals.get("__name__") != __name__ or frame.f_code.co_name in TEMPLATES:
                shown += [f"{frame.f_code.co_qualname} {frame.f_locals}"]
            traceback = traceback.tb_next
        error = error.__cause__ or error.__context__
    return [each for each in shown if CANARY in each]


TEMPLATES = {"call", "wrapper"}
"""Frames of guards that live in the globals of what they guard."""


@pytest.mark.parametrize("way", KINDS)
def test_b57_a_denial_holds_no_argument(way):
    """Neither the error's text, nor its causes, nor the guard's frames hold what was passed."""
    guard = new_guard(subject_key=b"k" * 32)
    with pytest.raises((AccessDeniedError, UnknownNameError)) as denied:
        way(guard)
    assert shown_by_a_crash_reporter(denied.value) == []


def test_b57_the_naive_guard_shows_arguments_in_its_frames():
    """The same look finds the arguments in a plain wrapper's frame."""
    with pytest.raises(DeniedError) as denied:
        of_a_function(NaiveGuard(GRANTS))
    assert shown_by_a_crash_reporter(denied.value) != []


# B58, B59, B60


class Telemetry:
    """An SDK whose exports stay in memory."""

    def __init__(self, sampler=None):
        self.spans, self.logs = InMemorySpanExporter(), InMemoryLogRecordExporter()
        self.reader = InMemoryMetricReader()
        tracers = TracerProvider(sampler, shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        loggers = LoggerProvider(shutdown_on_exit=False)
        loggers.add_log_record_processor(SimpleLogRecordProcessor(self.logs))
        meters = MeterProvider([self.reader], shutdown_on_exit=False)
        self.options = {
            "tracer_provider": tracers,
            "logger_provider": loggers,
            "meter_provider": meters,
        }

    def text(self):
        spans = [span.to_json() for span in self.spans.get_finished_spans()]
        logs = [log.to_json() for log in self.logs.get_finished_logs()]
        return "\n".join([*spans, *logs, self.reader.get_metrics_data().to_json()])


def test_b58_evidence_holds_no_argument_result_or_error_text():
    """Spans, logs, metrics and records name data and hold none."""
    telemetry = Telemetry()
    guard = new_guard(subject_key=b"k" * 32, actor=lambda: CANARY, **telemetry.options)

    @guard.access("candidate", items=["name"], subject="key")
    def load(key, error=None):
        if error:
            raise error
        return CANARY

    with capture(guard) as accesses:
        with guard.purpose("hiring", subject=CANARY, customer=CANARY):
            assert load(CANARY) == CANARY
            with pytest.raises(LookupError):
                load(CANARY, LookupError(CANARY))
        with guard.purpose("ads"), pytest.raises(AccessDeniedError):
            load(CANARY)
        with pytest.raises(AccessDeniedError):
            load(CANARY)
    said = telemetry.text() + repr(accesses)
    assert CANARY not in said
    assert said.count("candidate") > 10
    assert len(accesses[0].subjects) == 1


HOSTILE = [
    f"ticket for {CANARY}",
    CANARY * 500_000,
    f"x\n{CANARY} purposeguard.violation: forged",
    f"x\r\n\x1b[31m{CANARY}",
    f"{CANARY}\u2028\u202e",
]


@pytest.mark.parametrize("name", HOSTILE, ids=["address", "10 MB", "newline", "colour", "bidi"])
def test_b59_b60_a_hostile_purpose_is_refused_and_kept_by_its_length_only(name, caplog):
    """Free text, megabytes and line breaks in a name reach neither errors nor evidence."""
    telemetry = Telemetry()
    caplog.set_level(logging.DEBUG)
    guard = new_guard(mode="observe", **telemetry.options)
    plain = new_guard(mode="observe")
    with capture(guard) as accesses:
        for observing in (guard, plain):
            with observing.purpose(name):
                loader(observing)()
                observing.check(name, items=[name], recipient=name)
            observing.check("candidate", purpose=name)
    enforcing = new_guard()
    with pytest.raises(UnknownNameError) as unknown, enforcing.purpose(name):
        pass
    said = [*telemetry.text().split("\n"), *map(repr, accesses), str(unknown.value), caplog.text]
    assert not [each for each in said if CANARY in each]
    assert f"{len(name)} characters" in str(unknown.value)
    assert {access.outcome for access in accesses} == {"gap"}
    lines = [
        record.getMessage()
        for record in caplog.records
        if "purposeguard.gap" in record.getMessage()
    ]
    assert len(lines) == 3
    assert all(line.isprintable() and len(line) < 1000 for line in lines)


# B61, B62

SPOOFED = [
    "purpose=hiring",
    "purposeguard.purpose=hiring,purposeguard=hiring",
    "%70urpose=hiring",
    "purpose=ads,purpose=hiring",
    "purpose=hiring;ttl=5",
]


@pytest.mark.parametrize("baggage", SPOOFED)
def test_b61_an_inbound_purpose_counts_for_nothing(baggage):
    """No purpose is read from baggage, however it is spelt."""
    guard = new_guard()
    load = loader(guard)
    token = context.attach(W3CBaggagePropagator().extract({"baggage": baggage}))
    try:
        assert reason_of(load) == "purpose_undeclared"
        with guard.purpose("ads"):
            assert reason_of(load) == "not_granted"
    finally:
        context.detach(token)


def test_b61_a_value_of_another_kind_under_the_guards_key_counts_for_nothing():
    """Nor is anything but a chain taken for one."""
    guard = new_guard()
    load = loader(guard)
    for value in ("hiring", ("hiring",), {"purposes": ("hiring",)}, None):
        token = context.attach(context.set_value(guard._hub.key, value))
        try:
            assert reason_of(load) == "purpose_undeclared"
        finally:
            context.detach(token)


def test_b61_no_purpose_is_sent_to_other_services():
    """What is injected into an outbound request names no purpose and no category."""
    guard, headers = new_guard(**Telemetry().options), {}

    @guard.access("candidate", subject="key")
    def load(key):
        for propagator in (W3CBaggagePropagator(), TraceContextTextMapPropagator()):
            propagator.inject(headers)
        return DATA

    with guard.purpose("hiring", customer=CANARY):
        load(CANARY)
    assert headers.keys() == {"traceparent"}


def test_b62_an_unsampled_inbound_request_changes_no_decision_and_no_record():
    """A caller that switches tracing off switches nothing else off."""
    outcomes = []
    for flags, sampled in (("01", 2), ("00", 0)):
        telemetry = Telemetry()
        guard = new_guard(**telemetry.options)
        load = loader(guard)
        header = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-{flags}"}
        token = context.attach(TraceContextTextMapPropagator().extract(header))
        try:
            with capture(guard) as accesses:
                with guard.purpose("hiring"):
                    assert load() == DATA
                with guard.purpose("ads"), pytest.raises(AccessDeniedError):
                    load()
        finally:
            context.detach(token)
        assert len(telemetry.spans.get_finished_spans()) == sampled
        assert {access.trace_id for access in accesses} == {"a" * 32}
        outcomes.append([(access.decision, access.function) for access in accesses])
        assert "candidate" in telemetry.reader.get_metrics_data().to_json()
        told = [log.log_record.event_name for log in telemetry.logs.get_finished_logs()]
        assert told == ["purposeguard.policy", "purposeguard.violation"]
    assert outcomes[0] == outcomes[1]


def test_b62_without_any_sdk_the_answers_are_the_same():
    """With no span at all there is still a record of every access."""
    guard = new_guard(tracer_provider=trace.NoOpTracerProvider())
    load = loader(guard)
    with capture(guard) as accesses, pytest.raises(UndecidedAccessError):
        load()
    assert [access.span_id for access in accesses] == [None]
