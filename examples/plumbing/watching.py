"""An eye on spans and log events, and what a client got."""

import logging
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NamedTuple

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider


def verified(ledger: Path) -> str:
    """Return what the command says of the ledger, while the service still writes into it."""
    command = [sys.executable, "-m", "purposeguard", "ledger", "verify", ledger.name]
    done = subprocess.run(  # noqa: S603 - a command of ours
        command, cwd=ledger.parent, capture_output=True, text=True, check=False
    )
    return done.stdout


class Answer(NamedTuple):
    """What a client got: of a WebSocket, 101 and the first message, or its close code."""

    status: int
    body: Any


class Job(NamedTuple):
    """What came of a background job: how it ended, and the ledger's record of its access."""

    told: dict[str, Any]
    record: dict[str, Any]


class Seen(NamedTuple):
    """What one request left behind: its spans, and its log events as (name, text)."""

    spans: tuple[ReadableSpan, ...]
    events: list[tuple[str, str]]


class Watcher(logging.Handler, SpanProcessor):
    """Keeps what the service tells, until it is taken.

    It sets up tracing for the process. No OpenTelemetry logs are set up, so log events go to the
    logger `purposeguard`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._events: list[tuple[str, str]] = []
        self._spans: list[ReadableSpan] = []
        self._open = 0
        self._changed = threading.Condition()
        provider = TracerProvider()
        provider.add_span_processor(self)
        trace.set_tracer_provider(provider)
        logger = logging.getLogger("purposeguard")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one log event."""
        name, _, text = record.getMessage().partition(": ")
        self._events.append((name, text))

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002
        """Count a span that begins."""
        with self._changed:
            self._open += 1

    def on_end(self, span: ReadableSpan) -> None:
        """Keep a span that has ended."""
        with self._changed:
            self._spans.append(span)
            self._open -= 1
            self._changed.notify_all()

    def take(self) -> Seen:
        """Return what was told since the last time, once every span that began has ended."""
        with self._changed:
            self._changed.wait_for(lambda: self._open == 0, timeout=30)
            seen = Seen(tuple(self._spans), self._events)
            self._spans, self._events = [], []
        return seen
