"""A span for each access, current around the guarded call."""

from collections.abc import Mapping
from contextvars import Token
from typing import Any

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import (
    INVALID_SPAN,
    Span,
    Status,
    StatusCode,
    Tracer,
    TracerProvider,
    format_span_id,
    format_trace_id,
    get_current_span,
    set_span_in_context,
)

from purposeguard.evidence.faults import Faults
from purposeguard.evidence.instrumentation import SCOPE, VERSION, defaults
from purposeguard.exceptions import LedgerError
from purposeguard.interrupts import let_through

Attributes = Mapping[str, str | bool | tuple[str, ...]]

_ERROR = Status(StatusCode.ERROR)
(_CURRENT,) = set_span_in_context(INVALID_SPAN, Context())
"""The key of the context under which OpenTelemetry's own function puts the current span."""


class Spans:
    """Starts and ends spans, and never lets a fault of telemetry reach the application."""

    __slots__ = ("__weakref__", "_given", "faults", "tracer")

    def __init__(self, provider: TracerProvider | None, faults: Faults) -> None:
        self._given = provider
        self.faults = faults
        self.tracer: Tracer | None = None

    def found(self) -> Tracer:
        """Return the tracer, got from its provider and kept."""
        provider = defaults.tracers(self) if self._given is None else self._given
        self.tracer = tracer = provider.get_tracer(SCOPE, VERSION)
        return tracer

    def forget(self) -> None:
        """Ask for the provider again at the next span."""
        self.tracer = None

    def start(self, name: str, context: Context, attributes: Any) -> Span | None:
        """Return a started span, or None where there is nobody to see it."""
        try:
            span = (self.tracer or self.found()).start_span(name, context, attributes=attributes)
        except Exception as error:  # noqa: BLE001 - a fault of telemetry changes no decision
            let_through(error)
            self.faults.add("spans")
            return None
        return None if span is INVALID_SPAN else span

    def made_current(self, span: Span, context: Context) -> Context:
        """Return the context in which the span is current, where it makes a difference.

        A span that does not record stands in only where there was none to inherit from.
        """
        try:
            parent: Any = context.get(_CURRENT)
            if parent is None or span.is_recording() or not parent.get_span_context().is_valid:
                values = context.copy()
                values[_CURRENT] = span
                return Context(values)
        except Exception as error:  # noqa: BLE001 - a fault of telemetry changes no decision
            let_through(error)
            self.faults.add("spans")
        return context

    def ids(self, span: Span | None, context: Context) -> tuple[str | None, str | None]:
        """Return trace and span id, of the span current in the context where there is no other."""
        try:
            found = (get_current_span(context) if span is None else span).get_span_context()
            if found.is_valid:
                return format_trace_id(found.trace_id), format_span_id(found.span_id)
        except Exception as error:  # noqa: BLE001 - a fault of telemetry changes no decision
            let_through(error)
            self.faults.add("spans")
        return None, None

    def ids_text(self, span: Span | None, context: Context) -> str:
        """Return trace and span id as a ledger has them, or nothing without a trace."""
        try:
            seen: Any = context.get(_CURRENT) if span is None else span
            if seen is not None:
                found = seen.get_span_context()
                trace_id = found.trace_id
                if trace_id and found.is_valid:
                    return f',"trace":"{trace_id:032x}","span":"{found.span_id:016x}"'
        except Exception as error:  # noqa: BLE001 - a fault of telemetry changes no decision
            let_through(error)
            self.faults.add("spans")
        return ""

    def end(self, span: Span) -> None:
        """End a span whose call went through, whatever came of it."""
        try:
            span.end()
        except Exception as error:  # noqa: BLE001 - a fault of telemetry changes no decision
            let_through(error)
            self.faults.add("spans")

    def end_blocked(self, span: Span) -> None:
        """End the span of an access that was blocked. Its `error.type` was set at the start."""
        try:
            span.set_status(_ERROR)
            span.end()
        except Exception as error:  # noqa: BLE001 - a fault of telemetry changes no decision
            let_through(error)
            self.faults.add("spans")

    def end_refused(self, span: Span) -> None:
        """End the span of an access that is permitted, and was refused without a record."""
        try:
            span.set_attribute("error.type", LedgerError.__name__)
        except Exception as error:  # noqa: BLE001 - a fault of telemetry changes no decision
            let_through(error)
            self.faults.add("spans")
        self.end_blocked(span)


class OpenSpan:
    """A span around one call, current in it: `Spans.start` and the rest in one, to be quick."""

    __slots__ = ("_faults", "_token", "span")

    def __init__(self, spans: Spans, name: str, context: Context, attributes: Any) -> None:
        self._faults = spans.faults
        self._token: Token[Context] | None = None
        self.span: Span | None = None
        try:
            tracer = spans.tracer or spans.found()
            span = tracer.start_span(name, context, attributes=attributes)
            if span is not INVALID_SPAN:
                self.span = span
                parent: Any = context.get(_CURRENT)
                if parent is None or span.is_recording() or not parent.get_span_context().is_valid:
                    values = context.copy()
                    values[_CURRENT] = span
                    self._token = attach(Context(values))
        except Exception as error:  # noqa: BLE001 - a fault of telemetry changes no decision
            let_through(error)
            self._faults.add("spans")

    def leave(self) -> None:
        """Leave the call, in the context that it began in, with the span still open."""
        if self._token is not None:
            detach(self._token)

    def end(self) -> None:
        """Leave the call, in the context that it began in, and end the span."""
        if self._token is not None:
            detach(self._token)
        if self.span is not None:
            try:
                self.span.end()
            except Exception as error:  # noqa: BLE001 - a fault of telemetry changes no decision
                let_through(error)
                self._faults.add("spans")
