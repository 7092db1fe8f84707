"""One server span for each request, around the spans of its accesses.

In a real service opentelemetry-instrumentation-flask does this.
"""

from flask import Flask, Response, g, request
from opentelemetry.context import attach, detach
from opentelemetry.trace import SpanKind, get_tracer, set_span_in_context

tracer = get_tracer("hr_service")


def trace_requests(app: Flask) -> None:
    """Have every request of the app traced."""
    app.before_request(_start)
    app.after_request(_note_status)
    app.teardown_request(_end)


def _start() -> None:
    # The route, not the path: a path holds identifiers of people.
    route = request.url_rule.rule if request.url_rule else ""
    g.span = tracer.start_span(
        f"{request.method} {route}".rstrip(),
        kind=SpanKind.SERVER,
        attributes={"http.request.method": request.method, "http.route": route},
    )
    g.span_token = attach(set_span_in_context(g.span))


def _note_status(response: Response) -> Response:
    g.span.set_attribute("http.response.status_code", response.status_code)
    return response


def _end(_: BaseException | None) -> None:
    if "span_token" in g:
        detach(g.pop("span_token"))
        g.span.end()
