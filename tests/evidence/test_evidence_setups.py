"""Whatever becomes of telemetry, decisions and records are the same, and nothing hangs."""

import contextlib
import json
import logging
import threading

import pytest
from evidence_kit import Telemetry, run_script
from evidence_program import run
from opentelemetry import context
from opentelemetry._logs import LoggerProvider as AnyLoggerProvider
from opentelemetry.metrics import MeterProvider as AnyMeterProvider
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, Sampler
from opentelemetry.trace import NoOpTracerProvider, Tracer
from opentelemetry.trace import TracerProvider as AnyTracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from purposeguard import Ledger
from purposeguard.evidence.ledger.verify import keys_by_id, verify


class BrokenError(Exception):
    """What telemetry raises."""


def broken(*_, **__):
    """Raise, as broken telemetry does."""
    raise BrokenError


class Exporter(SpanExporter):
    """Does with each batch what it is told."""

    def __init__(self, export):
        self._export = export

    def export(self, spans):
        return self._export(spans)

    def shutdown(self):
        pass


class Processor(SpanProcessor):
    """Raises where it is told to."""

    def __init__(self, *places):
        for place in places:
            setattr(self, place, broken)


class BrokenSampler(Sampler):
    """Raises whenever it is asked."""

    should_sample = broken

    def get_description(self):
        return "broken"


class BrokenTracerProvider(AnyTracerProvider):
    """Has no tracer."""

    get_tracer = broken


class OddSpan:
    """A span that does nothing right."""

    is_recording = get_span_context = end = set_status = broken


class OddTracer(Tracer):
    """Starts spans that do nothing right."""

    def start_span(self, *_, **__):
        return OddSpan()

    start_as_current_span = broken


class OddTracerProvider(AnyTracerProvider):
    """Hands out a tracer whose spans do nothing right."""

    def get_tracer(self, *_, **__):
        return OddTracer()


class BrokenLoggerProvider(AnyLoggerProvider):
    """Has no logger."""

    get_logger = broken


class BrokenLogProcessor(LogRecordProcessor):
    """Raises for each log record."""

    on_emit = broken

    def shutdown(self):
        pass

    def force_flush(self, timeout_millis=30_000):
        return True


class BrokenMeterProvider(AnyMeterProvider):
    """Has no meter."""

    get_meter = broken


def provider(*processors, sampler=None):
    """Return a tracer provider that waits for nothing at exit."""
    made = TracerProvider(sampler=sampler, shutdown_on_exit=False)
    for each in processors:
        made.add_span_processor(each)
    return {"tracer_provider": made}


@contextlib.contextmanager
def healthy(_):
    yield Telemetry().providers


@contextlib.contextmanager
def disabled(monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    yield Telemetry().providers


@contextlib.contextmanager
def sampler_off(_):
    yield Telemetry(ALWAYS_OFF).providers


@contextlib.contextmanager
def unsampled_by_header():
    headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}
    token = context.attach(TraceContextTextMapPropagator().extract(headers))
    try:
        yield
    finally:
        context.detach(token)


@contextlib.contextmanager
def unsampled_parent(_):
    telemetry = Telemetry()
    with unsampled_by_header():
        yield telemetry.providers
    # The program's threads alone have no context to inherit the caller's choice from.
    assert [span.parent for span in telemetry.spans()] == [None, None]


@contextlib.contextmanager
def odd_spans_in_a_trace(_):
    with unsampled_by_header():
        yield {"tracer_provider": OddTracerProvider()}


@contextlib.contextmanager
def full_queue(_):
    """A queue of one span that is never emptied while the program runs."""
    release = threading.Event()
    exporter = Exporter(lambda spans: release.wait(300) and SpanExportResult.SUCCESS)
    batch = BatchSpanProcessor(
        exporter, max_queue_size=1, max_export_batch_size=1, schedule_delay_millis=60_000
    )
    yield provider(batch)
    release.set()
    batch.shutdown()


@contextlib.contextmanager
def hanging_exporter(_):
    """The worker is stuck in its first export all the time."""
    release = threading.Event()
    stuck = threading.Event()

    def export(spans):
        stuck.set()
        release.wait(300)
        return SpanExportResult.SUCCESS

    batch = BatchSpanProcessor(
        Exporter(export), max_queue_size=8, max_export_batch_size=4, schedule_delay_millis=1
    )
    yield provider(batch)
    assert stuck.wait(60)
    release.set()
    batch.shutdown()


def batched(export):
    """Return a set-up with an exporter behind a batch processor whose queue runs full often."""

    @contextlib.contextmanager
    def setup(_):
        called = threading.Event()

        def noting(spans):
            called.set()
            return export(spans)

        batch = BatchSpanProcessor(
            Exporter(noting), max_queue_size=16, max_export_batch_size=4, schedule_delay_millis=1
        )
        yield provider(batch)
        assert called.wait(60)

    return setup


def leave(_):
    raise SystemExit(3)


def given(**options):
    """Return a set-up of these options alone."""

    @contextlib.contextmanager
    def setup(_):
        yield options

    return setup


def logger_provider(processor):
    """Return an SDK logger provider with this processor."""
    made = LoggerProvider(shutdown_on_exit=False)
    made.add_log_record_processor(processor)
    return made


SETUPS = {
    "healthy": (healthy, set()),
    "no-op provider": (given(tracer_provider=NoOpTracerProvider()), set()),
    "sdk disabled": (disabled, set()),
    "sampler off": (sampler_off, set()),
    "unsampled parent": (unsampled_parent, set()),
    "full queue": (full_queue, set()),
    "hanging exporter": (hanging_exporter, set()),
    "failing exporter": (batched(lambda spans: SpanExportResult.FAILURE), set()),
    "raising exporter": (batched(broken), set()),
    "exporter that ends its thread": (batched(leave), set()),
    "raising exporter, no batch": (
        given(**provider(SimpleSpanProcessor(Exporter(broken)))),
        set(),
    ),
    "processor raises at start": (given(**provider(Processor("on_start"))), {"spans"}),
    "processor raises at end": (given(**provider(Processor("on_end"))), {"spans"}),
    "processor raises at both": (given(**provider(Processor("on_start", "on_end"))), {"spans"}),
    "raising sampler": (given(**provider(sampler=BrokenSampler())), {"spans"}),
    "raising tracer provider": (given(tracer_provider=BrokenTracerProvider()), {"spans"}),
    "spans that raise": (given(tracer_provider=OddTracerProvider()), {"spans"}),
    "spans that raise in a trace": (odd_spans_in_a_trace, {"spans"}),
    "raising logger provider": (given(logger_provider=BrokenLoggerProvider()), {"events"}),
    "raising log processor": (
        given(logger_provider=logger_provider(BrokenLogProcessor())),
        {"events"},
    ),
    "raising meter provider": (given(meter_provider=BrokenMeterProvider()), {"metrics"}),
}


@pytest.fixture(scope="module")
def baseline():
    """Return results and records of the program with no SDK at all."""
    results, records, _ = run()
    assert len(records) >= 80
    assert {"granted", "not_granted", "item_excess", "purpose_undeclared"} <= {
        record["reason"] for record in records
    }
    assert {kind for kind, _ in results} == {
        *("returned", "ApplicationError", "OutOfPurposeError", "UndecidedAccessError"),
        "UnknownNameError",
    }
    return results, records


@pytest.mark.timeout(240)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", SETUPS)
def test_telemetry_changes_no_decision_and_no_record(name, baseline, monkeypatch, caplog):
    """The same program leaves the same results and records, and broken outlets are counted."""
    setup, faulty = SETUPS[name]
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    with setup(monkeypatch) as options:
        results, records, guard = run(**options)
    assert results == baseline[0]
    assert records == baseline[1]
    assert set(guard.health().faults) == faulty


@pytest.mark.timeout(240)
@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_SDK_DISABLED": "true"},
        {"OTEL_TRACES_SAMPLER": "always_off"},
        {"OTEL_ATTRIBUTE_COUNT_LIMIT": "1", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1"},
    ],
    ids=["defaults", "disabled", "sampled out", "limits"],
)
def test_global_providers_change_nothing_either(environment, baseline):
    """In a process that sets an SDK for all, as applications do, the records are the same."""
    script = """
import json
from opentelemetry import trace, metrics, _logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

tracing = TracerProvider()
tracing.add_span_processor(BatchSpanProcessor(InMemorySpanExporter()))
trace.set_tracer_provider(tracing)
metrics.set_meter_provider(MeterProvider())
_logs.set_logger_provider(LoggerProvider())

from evidence_program import run
results, records, guard = run()
assert not guard.health().faults
print(json.dumps([results, records]))
"""
    results, records = json.loads(run_script(script, **environment))
    assert [tuple(each) for each in results] == baseline[0]
    assert records == baseline[1]


VARYING = ("time", "trace", "span", "mac", "synced")


def kept(place):
    """Return the accesses in a ledger, apart from ids and times."""
    (segment,) = place.glob("*.jsonl")
    lines = map(json.loads, segment.read_text("ascii").splitlines())
    return [
        {key: value for key, value in line.items() if key not in VARYING}
        for line in lines
        if line["kind"] == "access"
    ]


@pytest.fixture(scope="module", params=["process", "power"])
def in_ledger(request, tmp_path_factory):
    """Return a durability, and what the program leaves in a ledger with no SDK at all."""
    place = tmp_path_factory.mktemp("baseline")
    with Ledger(place, durability=request.param) as ledger:
        run(ledger=ledger)
    lines = kept(place)
    assert len(lines) >= 160
    assert {"subjects", "customers", "actor", "people_key", "service"} <= set().union(*lines)
    return request.param, lines


@pytest.mark.timeout(240)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", SETUPS)
def test_telemetry_changes_nothing_in_the_ledger(name, in_ledger, monkeypatch, caplog, tmp_path):
    """The same accesses are in the ledger, apart from ids and times, and it is intact."""
    durability, baseline = in_ledger
    caplog.set_level(logging.CRITICAL, "opentelemetry")
    with SETUPS[name][0](monkeypatch) as options, Ledger(tmp_path, durability=durability) as ledger:
        run(ledger=ledger, **options)
    assert kept(tmp_path) == baseline
    assert not verify(tmp_path, keys_by_id([])).problems


class NaiveGuard:
    """Records what it exports, as a guard without a record of its own does."""

    def __init__(self, tracer_provider):
        self.tracer = tracer_provider.get_tracer("naive")

    def access(self, purpose):
        """Make one access and return whether it was permitted."""
        with self.tracer.start_as_current_span("access") as span:
            span.set_attribute("purpose", purpose)
            return purpose == "order.delivery"


def naive(options):
    """Run a few accesses through the naive guard."""
    guard = NaiveGuard(options["tracer_provider"])
    return [guard.access(purpose) for purpose in ("order.delivery", "advice")]


@pytest.mark.parametrize(
    "name", ["processor raises at start", "processor raises at end", "raising sampler"]
)
def test_the_set_ups_break_a_naive_guard(name, monkeypatch):
    """The same broken telemetry reaches the application through a plain OpenTelemetry wrapper."""
    with SETUPS[name][0](monkeypatch) as options, pytest.raises(BrokenError):
        naive(options)


@pytest.mark.parametrize("name", ["sampler off", "sdk disabled"])
def test_the_set_ups_silence_a_naive_guard(name, monkeypatch):
    """Where spans are the only record, a sampler or a variable leaves none."""
    exporter = InMemorySpanExporter()
    with SETUPS[name][0](monkeypatch) as options:
        options["tracer_provider"].add_span_processor(SimpleSpanProcessor(exporter))
        assert naive(options) == [True, False]
    assert exporter.get_finished_spans() == ()


def test_a_header_silences_a_naive_guard():
    """A caller's `traceparent` alone switches off a record that consists of spans."""
    telemetry = Telemetry()
    with unsampled_by_header():
        assert naive(telemetry.providers) == [True, False]
    assert telemetry.all_spans() == ()
