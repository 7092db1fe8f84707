"""The same hosts are told with the clients' OpenTelemetry instrumentations off, before or after."""

import pytest
from opentelemetry.instrumentation import httpx as instrumentations
from opentelemetry.instrumentation.requests import RequestsInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from outgoing_kit import LED, TWICE, outgoing_of, places
from token_kit import guard_of
from wire_kit import CLIENTS

pytestmark = pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")


def instrumentor_of(kind):
    """Return the instrumentor of a client, or skip where this version has none for it."""
    if kind is CLIENTS["requests"]:
        return RequestsInstrumentor()
    name = kind.theirs.__name__.upper() + "ClientInstrumentor"
    if not hasattr(instrumentations, name):
        pytest.skip("this version has no instrumentor for httpx2")
    return getattr(instrumentations, name)()


@pytest.fixture
def spans():
    """A tracer provider, and the spans that it was given."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    yield provider, exporter
    provider.shutdown()


@pytest.mark.parametrize("when", ["off", "before", "after", "client"])
def test_the_same_hosts_are_told(kind, wire, spans, when):
    """Redirects included; no span has anything of a token, and the calls have their spans."""
    provider, exporter = spans
    guard, instrumentor = guard_of(), instrumentor_of(kind)
    url, expected = LED["there and back"]
    given = {} if kind is CLIENTS["requests"] else {"headers": TWICE}
    if when == "before":
        instrumentor.instrument(tracer_provider=provider)
    try:
        with kind.client(outgoing_of(guard), proxy=wire.url, **given) as client:
            if when == "after":
                instrumentor.instrument(tracer_provider=provider)
            if when == "client":
                if not hasattr(client, "event_hooks"):
                    pytest.skip("a client of this kind is not instrumented by itself")
                instrumentor.instrument_client(client, tracer_provider=provider)
            with guard.purpose("advice"):
                kind.send(client, url)
    finally:
        if when in ("before", "after"):
            instrumentor.uninstrument()
    hops = wire.hops()
    assert places(hops) == expected
    finished = exporter.get_finished_spans()
    assert bool(finished) == (when != "off")
    shown = "".join(span.to_json() for span in finished).lower()
    parts = [part for hop in hops for token in hop.tokens for part in token.lower().split(".")]
    assert parts
    assert not [part for part in parts if part in shown]
