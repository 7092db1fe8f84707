"""What the tests of the Flask adapter share: an app with the adapter in it."""

from flask import Flask
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from integrations.web_kit import Data
from purposeguard.integrations.flask import FlaskPurposes


class Service(Data):
    """An app with the adapter, instrumented by OpenTelemetry or not."""

    def __init__(self, instrumented="off"):
        super().__init__()
        self.app = Flask("service")
        self.purposes = FlaskPurposes(self.guard)
        self.exporter = InMemorySpanExporter()
        self._provider = TracerProvider(shutdown_on_exit=False)
        self._provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        if instrumented == "before":
            self._instrument()
        self.purposes.init_app(self.app)
        if instrumented == "after":
            self._instrument()

    def _instrument(self):
        FlaskInstrumentor().instrument_app(self.app, tracer_provider=self._provider)

    def get(self, path, **options):
        """Return the answer to a request."""
        return self.app.test_client().get(path, **options)
