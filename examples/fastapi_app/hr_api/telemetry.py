"""One server span for each request, around the spans of its accesses.

FastAPI from 0.165 on, or opentelemetry-instrumentation-fastapi, would do this. Both write the path
into the span, which holds identifiers of people; here the span is named after the route alone.
"""

from opentelemetry.propagate import extract
from opentelemetry.trace import SpanKind, get_tracer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN = {"tracing": False, "logs": False}
"""What FastAPI is told of its own telemetry. Versions that have none don't mind."""

tracer = get_tracer("hr_api")


class TraceRequests:
    """Middleware that has every request and WebSocket of an app traced."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request in a span, which ends with its last byte."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        method = scope.get("method", "WEBSOCKET")
        carried = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        with tracer.start_as_current_span(
            method,
            extract(carried),
            SpanKind.SERVER,
            {"http.request.method": method},
            record_exception=False,
            set_status_on_exception=False,
        ) as span:

            async def noted(message: Message) -> None:
                if message["type"] == "http.response.start":
                    span.set_attribute("http.response.status_code", message["status"])
                await send(message)

            try:
                await self._app(scope, receive, noted)
            finally:
                route = getattr(scope.get("route"), "path", "")
                span.update_name(f"{method} {route}".rstrip())
                span.set_attribute("http.route", route)
