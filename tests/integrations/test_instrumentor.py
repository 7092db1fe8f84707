"""The instrumentor: it says where telemetry goes, and changes no decision."""

from importlib.metadata import entry_points

import pytest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from integrations.web_kit import POLICY
from purposeguard import AccessDeniedError, Guard
from purposeguard.integrations.instrumentor import PurposeGuardInstrumentor


class Telemetry:
    """Providers, and what they were sent."""

    def __init__(self):
        self.exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.logs = InMemoryLogRecordExporter()
        self.loggers = LoggerProvider(shutdown_on_exit=False)
        self.loggers.add_log_record_processor(SimpleLogRecordProcessor(self.logs))
        self.reader = InMemoryMetricReader()
        self.meters = MeterProvider([self.reader], shutdown_on_exit=False)

    def spans(self):
        """Return how many spans have arrived since the last look."""
        found = len(self.exporter.get_finished_spans())
        self.exporter.clear()
        return found

    def events(self):
        """Return how many log events have arrived since the last look."""
        found = len(self.logs.get_finished_logs())
        self.logs.clear()
        return found

    def accesses(self):
        """Return the counts of accesses by purpose."""
        data = self.reader.get_metrics_data()
        return {
            point.attributes["purposeguard.purpose"]: point.value
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == "purposeguard.accesses"
            for point in metric.data.data_points
        }


def touch(guard):
    """Make a permitted and a denied access."""
    with guard.purpose("support.inquiry"):
        guard.check("customer")
    with pytest.raises(AccessDeniedError):
        guard.check("customer")


@pytest.fixture
def instrumentor():
    """The instrumentor, switched off again afterwards."""
    made = PurposeGuardInstrumentor()
    yield made
    if made.is_instrumented_by_opentelemetry:
        made.uninstrument()


def test_it_is_found_by_auto_instrumentation():
    """Under its entry point; and what that calls, without arguments, changes nothing."""
    (entry,) = entry_points(group="opentelemetry_instrumentor", name="purposeguard")
    assert entry.load() is PurposeGuardInstrumentor
    assert PurposeGuardInstrumentor().instrumentation_dependencies() == ()


def test_it_says_where_telemetry_goes(instrumentor):
    """Of guards that were made before and after, until it is switched off."""
    telemetry = Telemetry()
    older = Guard(POLICY)
    touch(older)
    assert (telemetry.spans(), telemetry.events()) == (0, 0)
    instrumentor.instrument(
        tracer_provider=telemetry.tracers,
        logger_provider=telemetry.loggers,
        meter_provider=telemetry.meters,
    )
    counted = telemetry.accesses().get("support.inquiry", 0)
    newer = Guard(POLICY)
    telemetry.events()
    for guard in (older, newer):
        touch(guard)
        assert (telemetry.spans(), telemetry.events()) == (2, 1)
    assert telemetry.accesses()["support.inquiry"] == counted + 2
    instrumentor.uninstrument()
    for guard in (older, newer):
        touch(guard)
    assert (telemetry.spans(), telemetry.events()) == (0, 0)


def test_a_guards_own_providers_stay(instrumentor):
    """Whoever named one meant it."""
    own, other = Telemetry(), Telemetry()
    guard = Guard(
        POLICY,
        tracer_provider=own.tracers,
        logger_provider=own.loggers,
        meter_provider=own.meters,
    )
    own.events()
    instrumentor.instrument(tracer_provider=other.tracers, logger_provider=other.loggers)
    touch(guard)
    assert (own.spans(), own.events(), own.accesses()["support.inquiry"]) == (2, 1, 1)
    assert (other.spans(), other.events()) == (0, 0)


@pytest.mark.parametrize("options", [{}, {"policy": "none", "mode": "off", "enabled": False}])
def test_it_switches_no_enforcement(options, instrumentor):
    """Whatever is given: a typo there must not let anything through."""
    guard = Guard(POLICY)
    instrumentor.instrument(**options)
    touch(guard)
    assert guard.health().mode == "enforce"
