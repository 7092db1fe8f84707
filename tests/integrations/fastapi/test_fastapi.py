"""The FastAPI adapter on the real framework: ecosystem traps, answers, streams, documents."""

import asyncio
import contextvars
import inspect
import re
import threading
import time
from contextlib import asynccontextmanager

import pytest
from fastapi import APIRouter, BackgroundTasks, Depends, FastAPI, Request, Security, WebSocket
from fastapi.responses import PlainTextResponse, StreamingResponse
from fastapi.testclient import TestClient
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.routing import Host, Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocketDisconnect

from integrations.web_kit import DATA, INSTRUMENTED, POLICY, Data
from purposeguard import AccessDeniedError, Guard, OutOfPurposeError, ScopeError, UnknownNameError
from purposeguard.integrations.asgi import ASGIPurpose
from purposeguard.integrations.coverage import Declared
from purposeguard.integrations.fastapi import FastAPIPurposes, adapters
from purposeguard.integrations.tokens import HEADER, TokenIssuer, TrustedIssuers


class Service(Data):
    """An app with the adapter, instrumented by OpenTelemetry or not."""

    def __init__(self, instrumented="off", **options):
        super().__init__()
        self.exporter = InMemorySpanExporter()
        self._provider = TracerProvider(shutdown_on_exit=False)
        self._provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        if instrumented == "native":
            options["telemetry"] = {"tracer_provider": self._provider}
        self.app = FastAPI(default_response_class=PlainTextResponse, **options)
        self.purposes = FastAPIPurposes(self.guard)
        if instrumented == "before":
            self._instrument()
        self.purposes.install(self.app)
        if instrumented == "after":
            self._instrument()

    def _instrument(self):
        FastAPIInstrumentor.instrument_app(self.app, tracer_provider=self._provider)

    def declares(self, purpose):
        """Return a dependency."""
        return Depends(self.purposes(purpose))

    def get(self, path, **options):
        """Return the answer to a request."""
        return TestClient(self.app).get(path, **options)


TRACES_ITSELF = "telemetry" in inspect.signature(FastAPI).parameters
"""Whether this FastAPI may trace requests and the dependencies of their endpoints itself."""


@pytest.fixture(params=[*INSTRUMENTED, *(["native"] if TRACES_ITSELF else [])])
def service(request):
    """A service, whether or not it is instrumented."""
    return Service(request.param)


@pytest.fixture
def plain():
    """A service that is not instrumented."""
    return Service()


def test_endpoints_of_both_kinds_see_the_purpose(service):
    """A sync one runs in a worker thread with a copied context; without a declaration: none."""

    @service.app.get("/sync", dependencies=[service.declares("support.inquiry")])
    def sync():
        return service.customer()

    @service.app.get("/async", dependencies=[service.declares("support.inquiry")])
    async def asynchronous():
        return await service.customer_async()

    @service.app.get("/parameter")
    def parameter(_: None = service.declares("support")):
        return service.customer()

    @service.app.get("/none")
    async def none():
        return service.reason()

    with service.guard.purpose("support"):
        for path in ("/sync", "/async", "/parameter"):
            assert service.get(path).text == DATA, path
        assert service.get("/none").text == "purpose_undeclared"
        assert service.reason() == "granted"


def test_the_nearest_declaration_wins(service):
    """Route over router, inner router over outer, router over app: no two intersect."""
    inner = APIRouter(prefix="/in", dependencies=[service.declares("ads")])
    outer = APIRouter(dependencies=[service.declares("hiring")])
    seen = []

    async def user():
        seen.append(service.guard.purposes_in_force())

    @inner.get("/route", dependencies=[Depends(user), service.declares("support")])
    def of_route():
        return " ".join([service.reason(), *service.guard.purposes_in_force()])

    @inner.get("/inner")
    def of_inner():
        return " ".join([service.reason(), *service.guard.purposes_in_force()])

    @outer.get("/outer")
    def of_outer():
        return " ".join([service.reason(), *service.guard.purposes_in_force()])

    outer.include_router(inner)
    service.app.include_router(outer)
    service.app.include_router(inner, prefix="/again", dependencies=[service.declares("hiring")])
    assert service.get("/in/route").text == "granted support"
    assert service.get("/in/inner").text == "not_granted ads"
    assert service.get("/outer").text == "not_granted hiring"
    assert service.get("/again/in/inner").text == "not_granted ads"
    assert seen == [("support",)]  # what depends on nothing yet is for the same


def test_a_purpose_inside_never_stands_alone(service):
    """The route's own must permit as well, whatever happens between dependency and endpoint."""

    @service.app.get("/", dependencies=[service.declares("ads")])
    async def endpoint():
        with service.guard.purpose("support"):
            return " ".join([service.reason(), *service.guard.purposes_in_force()])

    assert service.get("/").text == "not_granted ads support"


@pytest.mark.parametrize("before", [False, True])
def test_what_narrows_between_two_declarations_stays_in_force(before, plain):
    """Also where it stands before the first of them."""

    async def narrower():
        with plain.guard.purpose("ads", across_yield=True):
            yield

    ways = [plain.declares("support"), Depends(narrower)]
    router = APIRouter(dependencies=ways[::-1] if before else ways)

    @router.get("/one")
    async def one():
        return " ".join([plain.reason(), *plain.guard.purposes_in_force()])

    @router.get("/two", dependencies=[plain.declares("support")])
    def two(_: None = plain.declares("support")):
        return " ".join([plain.reason(), *plain.guard.purposes_in_force()])

    plain.app.include_router(router)
    for path in ("/one", "/two"):
        assert plain.get(path).text == "not_granted support ads", path


def test_what_narrows_before_a_nearer_declaration_is_never_lost():
    """Where routers that are included tell it late, there is a gap, and no grant."""
    service = Service()

    async def narrower():
        with service.guard.purpose("ads", across_yield=True):
            yield

    bare, outer = APIRouter(), APIRouter()

    @bare.get("/")
    async def endpoint():
        return service.reason()

    outer.include_router(bare, dependencies=[service.declares("support.inquiry")])
    around = [service.declares("support"), Depends(narrower)]
    service.app.include_router(outer, dependencies=around)
    assert service.get("/").text in ("purpose_closed", "not_granted")


def test_a_token_narrows_to_the_end_of_a_request(monkeypatch):
    """Whoever else declares the same, later and without trust; it is read once."""
    service = Service()
    issuer = TokenIssuer("hr", b"a key of the tests, no secret key", seconds=60)
    trusted = TrustedIssuers("here", {"hr": b"a key of the tests, no secret key"}, leeway=0)
    trusting = FastAPIPurposes(service.guard, trusted=trusted)

    now, ahead = time.time, []
    monkeypatch.setattr(time, "time", lambda: now() + sum(ahead))

    async def wait():
        ahead.append(120)  # seconds: the token has expired when the others declare

    around = [Depends(trusting("support")), Depends(wait)]
    router = APIRouter(dependencies=around)

    @router.get("/same", dependencies=[Depends(trusting("support"))])
    @router.get("/other", dependencies=[service.declares("support")])
    @router.get("/another", dependencies=[service.declares("support.inquiry")])
    async def endpoint():
        return service.reason()

    service.app.include_router(router)
    for path in ("/same", "/other", "/another"):
        with service.guard.purpose("ads"):
            token = issuer.token_for(service.guard, "here")
        assert service.get(path, headers={HEADER: token}).text == "not_granted", path
    assert service.get("/same", headers={HEADER: "junk"}).text == "granted"
    assert dict(trusted.refused) == {"malformed": 1}


def test_a_token_may_be_required():
    """A request without one that is believed has no purpose, whatever its route declares."""
    service = Service()
    key = b"a key of the tests, no secret key"
    trusted = TrustedIssuers("here", {"hr": key}, required=True)
    trusting = FastAPIPurposes(service.guard, trusted=trusted)

    @service.app.get("/", dependencies=[Depends(trusting("support"))])
    async def endpoint():
        return service.reason()

    @service.app.get("/both", dependencies=[Depends(trusting("support"))])
    @service.guard.purpose("support")
    def both():
        return service.reason()

    @service.app.get("/own")
    @service.guard.purpose("support")
    def own():
        return service.reason()

    trusting.install(service.app)
    with service.guard.purpose("support"):
        token = TokenIssuer("hr", key).token_for(service.guard, "here")
    for path, gap in (("/", "purpose_undeclared"), ("/both", "purpose_closed"), ("/own", None)):
        for headers in ({}, {HEADER: "junk"}):
            assert service.get(path, headers=headers).text == (gap or "purpose_closed"), path
        assert service.get(path, headers={HEADER: token}).text == "granted"


def test_an_app_without_the_adapter_is_told():
    """A declaration alone has nothing to hold on to: no answer rather than a lost purpose."""
    data = Data()
    app = FastAPI()

    @app.get("/", dependencies=[Depends(FastAPIPurposes(data.guard)("support"))])
    async def endpoint():
        return data.reason()

    with pytest.raises(ScopeError, match=r"purposes\.install\(app\)"):
        TestClient(app).get("/")


@pytest.mark.parametrize("options", [{"mode": "observe"}, {"modes": {"customer:*": "observe"}}])
def test_where_the_adapter_is_missing_a_service_that_observes_goes_on(options, caplog):
    """Nothing is declared, and the mistake is told once."""
    guard = Guard(POLICY, **options)
    app = FastAPI()

    @app.get("/", dependencies=[Depends(FastAPIPurposes(guard)("support"))])
    async def endpoint():
        return guard.purposes_in_force()

    with TestClient(app) as client, guard.purpose("ads"):
        assert [client.get("/").json() for _ in range(3)] == [[]] * 3
    told = [each.message for each in caplog.records if "purposes.install(app)" in each.message]
    assert len(told) == 1
    assert told[0].startswith("purposeguard.unguarded: the app has no scope")


def test_a_raw_endpoint_in_a_service_that_observes(caplog):
    """It keeps the app from starting; where no start is asked for, it is told once, and served."""
    guard = Guard(POLICY, mode="observe")
    app = FastAPI()
    FastAPIPurposes(guard).install(app)

    @guard.purpose("support")
    @app.get("/")
    async def endpoint():
        return guard.purposes_in_force()

    sent = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        sent.append(message["type"])

    with pytest.raises(ScopeError):
        asyncio.run(app({"type": "lifespan", "state": {}}, receive, send))
    assert sent == ["lifespan.startup.failed"]
    client = TestClient(app)
    assert [client.get("/").json() for _ in range(3)] == [[]] * 3
    assert len([each for each in caplog.records if "is the raw function" in each.message]) == 1


def test_dependencies_see_the_purpose_too(service):
    """Those of every kind that stand behind the declaration, and their exits."""
    seen = []

    def sync():
        seen.append(service.reason())

    async def asynchronous():
        seen.append(service.reason())

    def sync_steps():
        seen.append(service.reason())
        yield
        seen.append(service.reason())

    async def async_steps():
        seen.append(service.reason())
        yield
        seen.append(service.reason())

    kinds = [sync, asynchronous, sync_steps, async_steps]

    @service.app.get("/", dependencies=[service.declares("support"), *map(Depends, kinds)])
    def endpoint():
        return ""

    service.get("/")
    assert seen == ["granted"] * 6


def streams(service):
    """Return the bodies that FastAPI streams."""

    def steps():
        for _ in range(3):
            yield service.customer()

    async def async_steps():
        for _ in range(3):
            yield await service.customer_async()

    return {
        "steps": steps,
        "async steps": async_steps,
        "guarded steps": service.customers,
        "guarded async steps": service.customers_async,
    }


@pytest.mark.parametrize("asynchronous", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("way", list(streams(Data())))
def test_streamed_bodies_keep_the_purpose(way, asynchronous, service):
    """And it ends with them."""
    kept = []

    def endpoint():
        kept.append(contextvars.copy_context())
        return StreamingResponse(streams(service)[way]())

    async def async_endpoint():
        return endpoint()

    service.app.get("/", dependencies=[service.declares("support")])(
        async_endpoint if asynchronous else endpoint
    )
    assert service.get("/").text == DATA * 3
    assert kept[0].run(service.reason) == "purpose_closed"


def test_background_tasks_keep_the_purpose(service):
    """They run after the response was sent, and before the scope ends."""
    seen = []

    def later():
        seen.append(service.reason())

    async def later_async():
        seen.append(service.reason())

    @service.app.get("/", dependencies=[service.declares("support")])
    async def endpoint(tasks: BackgroundTasks):
        tasks.add_task(later)
        tasks.add_task(later_async)
        return ""

    service.get("/")
    assert seen == ["granted", "granted"]


def test_websockets(service):
    """The purpose holds for the whole conversation; a denial closes it, with the reason."""

    @service.app.websocket("/right", dependencies=[service.declares("support")])
    async def right(socket: WebSocket):
        await socket.accept()
        for _ in range(3):
            await socket.send_text(await service.customer_async())
        await socket.close()

    @service.app.websocket("/wrong", dependencies=[service.declares("ads")])
    async def wrong(socket: WebSocket):
        await socket.accept()
        await service.customer_async()

    @service.app.websocket("/none")
    async def none(socket: WebSocket):
        await service.customer_async()

    client = TestClient(service.app)
    with client.websocket_connect("/right") as socket:
        assert [socket.receive_text() for _ in range(3)] == [DATA] * 3
    with client.websocket_connect("/wrong") as socket, pytest.raises(WebSocketDisconnect) as closed:
        socket.receive_text()
    assert (closed.value.code, closed.value.reason) == (1008, "not_granted")
    with pytest.raises(WebSocketDisconnect) as closed, client.websocket_connect("/none"):
        """The server has closed it before."""
    assert (closed.value.code, closed.value.reason) == (1008, "purpose_undeclared")


class Passing(BaseHTTPMiddleware):
    """Middleware that runs what is below in another task."""

    async def dispatch(self, request, call_next):
        """Change nothing."""
        return await call_next(request)


@pytest.mark.parametrize("place", ["inside", "outside"])
def test_with_middleware_that_runs_the_app_in_another_task(place, service):
    """Inside or outside the adapter's own."""

    @service.app.get("/", dependencies=[service.declares("support")])
    async def endpoint():
        return StreamingResponse(service.customers_async())

    middleware = service.app.user_middleware
    service.app.add_middleware(Passing)
    if place == "inside":
        middleware.append(middleware.pop(0))
    assert service.get("/").text == DATA * 3


def test_the_purpose_dies_with_the_request(service):
    """Tasks that outlive it are denied, unless the purpose was handed over."""
    left = {}

    @service.app.get("/", dependencies=[service.declares("support")])
    async def endpoint():
        left["copied"] = contextvars.copy_context()
        left["carried"] = service.guard.carry(service.reason)
        return service.reason()

    assert service.get("/").text == "granted"
    assert left["copied"].run(service.reason) == "purpose_closed"
    assert left["carried"]() == "granted"


def test_an_endpoint_that_fails_or_is_cancelled(service):
    """Leaves nothing behind."""
    left = []

    @service.app.get("/fails", dependencies=[service.declares("support")])
    async def fails():
        left.append(contextvars.copy_context())
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        service.get("/fails")

    @service.app.get("/hangs", dependencies=[service.declares("support")])
    async def hangs():
        left.append(contextvars.copy_context())
        await asyncio.sleep(60)

    async def cancel():
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/hangs",
            "raw_path": b"/hangs",
            "query_string": b"",
            "headers": [],
            "root_path": "",
            "scheme": "http",
            "server": ("testserver", 80),
            "client": ("testclient", 1),
        }

        async def receive():
            await asyncio.sleep(60)

        async def send(message):
            raise AssertionError(message)

        task = asyncio.create_task(service.app(scope, receive, send))
        while len(left) < 2:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancel())
    assert [each.run(service.reason) for each in left] == ["purpose_closed"] * 2


def test_a_denial_is_a_problem_document(service):
    """403, with purpose, category, clause and reason, and nothing personal."""

    @service.app.get("/customers/{name}", dependencies=[service.declares("ads")])
    def endpoint(name: str):
        return service.customer()

    answer = service.get(f"/customers/{DATA}")
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:purposeguard:problem:out-of-purpose",
        "title": "The privacy policy does not permit this use",
        "status": 403,
        "detail": "purpose `ads` may not access `customer` (name): "
        "the policy grants `support` (A1)",
        "purpose": "ads",
        "category": "customer",
        "clause": [],
        "reason": "not_granted",
    }
    assert DATA not in answer.text


def test_a_denial_in_a_dependency_or_in_middleware(service):
    """Wherever it is raised before the response has begun."""

    async def user():
        service.customer()

    @service.app.get("/", dependencies=[service.declares("ads"), Depends(user)])
    def endpoint():
        raise AssertionError

    @service.app.get("/fine")
    def fine():
        return ""

    assert service.get("/").status_code == 403
    late = Service()

    class Denied:
        def __init__(self, app):
            self.app = app

        async def __call__(self, scope, receive, send):
            late.customer()

    late.app.add_middleware(Denied)
    late.app.user_middleware.append(late.app.user_middleware.pop(0))
    answer = late.get("/")
    assert (answer.status_code, answer.json()["reason"]) == (403, "purpose_undeclared")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("own", [False, True])
def test_denials_in_a_group(own, service):
    """As a task group raises them: answered as the first of them is.

    A group with another error in it is the app's, as all are where it has a handler for groups.
    """
    if own:
        service.app.exception_handler(ExceptionGroup)(
            lambda connection, error: PlainTextResponse("mine", 451)
        )

    async def fails():
        raise ValueError("broken")

    async def together(*work):
        async with asyncio.TaskGroup() as tasks:
            for each in work:
                tasks.create_task(each())

    @service.app.get("/denied", dependencies=[service.declares("ads")])
    async def denied():
        await together(service.customer_async, service.customer_async)

    @service.app.get("/both", dependencies=[service.declares("ads")])
    async def both():
        await together(service.customer_async, fails)

    if own:
        assert service.get("/both").status_code == service.get("/denied").status_code == 451
        return
    assert service.get("/denied").status_code == 403
    with pytest.raises(ExceptionGroup):
        service.get("/both")


def talk(app, sent):
    """Have a conversation with a WebSocket at `/`, and note the types of what it sends."""
    scope = {"type": "websocket", "path": "/", "query_string": b"", "headers": []}

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append((message["type"], message.get("code"), message.get("reason")))

    asyncio.run(app(scope, receive, send))


@pytest.mark.parametrize("mounted", [False, True])
def test_denials_in_a_group_close_a_websocket(mounted, plain):
    """With the reason of the first, also in a mounted app."""
    app = FastAPI() if mounted else plain.app

    @app.websocket("/", dependencies=[plain.declares("ads")])
    async def endpoint(socket: WebSocket):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(plain.customer_async())

    if mounted:
        plain.app.mount("", app)
        del plain.app.exception_handlers[AccessDeniedError]
    sent = []
    talk(plain.app, sent)
    assert sent == [("websocket.close", 1008, "not_granted")]


@pytest.mark.parametrize("end", ["close", "http.response.start"])
def test_a_denial_after_the_end_of_a_websocket(end, plain):
    """Is raised as it is: nothing can be answered any more."""

    @plain.app.websocket("/", dependencies=[plain.declares("ads")])
    async def endpoint(socket: WebSocket):
        if end == "close":
            await socket.close(1000, "")
        else:
            await socket.send({"type": "websocket.http.response.start", "status": 401})
        plain.customer()

    sent = []
    with pytest.raises(OutOfPurposeError):
        talk(plain.app, sent)
    assert [kind for kind, *_ in sent] == [f"websocket.{end}"]


@pytest.mark.parametrize("handler", [False, True])
def test_a_denial_in_a_mounted_app(handler, service):
    """That has no adapter of its own, and so no handler: the one around it answers."""
    child = FastAPI()

    @child.get("/declared", dependencies=[service.declares("ads")])
    def declared():
        return service.customer()

    @child.get("/none")
    async def none():
        return await service.customer_async()

    @child.get("/own")
    def own():
        raise RuntimeError("its own") from ValueError()

    service.app.mount("/child", child)
    if not handler:
        del service.app.exception_handlers[AccessDeniedError]
    for path, reason in (("declared", "not_granted"), ("none", "purpose_undeclared")):
        answer = service.get(f"/child/{path}")
        assert (answer.status_code, answer.json()["reason"]) == (403, reason)
    with pytest.raises(RuntimeError, match="its own"):
        service.get("/child/own")


def test_a_denial_in_the_middle_of_a_body(plain):
    """Can't be answered any more: the connection breaks off, and nothing more is sent."""

    async def steps():
        yield "begun "
        yield await plain.customer_async()

    @plain.app.get("/", dependencies=[plain.declares("ads")])
    async def endpoint():
        return StreamingResponse(steps())

    with pytest.raises(RuntimeError, match="response already started") as raised:
        plain.get("/")
    assert type(raised.value.__cause__) is OutOfPurposeError


def test_an_apps_own_handler_stays(plain):
    """Whether it was there before the adapter or comes after."""
    mine = FastAPI()
    mine.add_exception_handler(AccessDeniedError, lambda *_: PlainTextResponse("mine", 451))
    plain.purposes.install(mine)

    @mine.get("/", dependencies=[plain.declares("ads")])
    @plain.app.get("/", dependencies=[plain.declares("ads")])
    def endpoint():
        return plain.customer()

    assert TestClient(mine).get("/").status_code == 451
    plain.app.add_exception_handler(AccessDeniedError, lambda *_: PlainTextResponse("mine", 451))
    assert plain.get("/").status_code == 451


def test_the_document_says_what_each_operation_is_for(service):
    """By itself: `x-purpose`, of the nearest declaration, also where a router is included twice."""
    router = APIRouter(dependencies=[service.declares("hiring")])

    @router.get("/own", dependencies=[service.declares("support.inquiry")])
    def own():
        """Nothing."""

    @router.post("/default")
    @router.get("/default")
    def default():
        """Nothing."""

    @service.app.get("/none")
    def none():
        """Nothing."""

    @service.app.get("/{path}/one", dependencies=[service.declares("ads")])
    def one(path: str):
        """Nothing."""

    bare = APIRouter()
    bare.get("/twice")(default)
    service.app.include_router(router, prefix="/area")
    for prefix, purpose in (("/a", "ads"), ("/b", "support")):
        service.app.include_router(bare, prefix=prefix, dependencies=[service.declares(purpose)])
    paths = service.get("/openapi.json").json()["paths"]
    found = {
        (method, path): operation.get("x-purpose")
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    assert found == {
        ("get", "/area/own"): "support.inquiry",
        ("get", "/area/default"): "hiring",
        ("post", "/area/default"): "hiring",
        ("get", "/none"): None,
        ("get", "/{path}/one"): "ads",
        ("get", "/a/twice"): "ads",
        ("get", "/b/twice"): "support",
    }


def test_a_guard_above_the_route_is_refused(plain):
    """FastAPI has the raw function then: the app doesn't start, and no request is served."""

    @plain.app.get("/right")
    @plain.guard.purpose("support", root=True)
    def right():
        return "right"

    with TestClient(plain.app) as client:
        assert client.get("/right").text == "right"
    late = Service()
    router = APIRouter()

    @late.guard.purpose("support", root=True)
    @router.get("/wrong")
    def wrong():
        return "wrong"

    late.app.include_router(router, prefix="/area")
    for _ in range(2):
        with pytest.raises(ScopeError, match="the endpoint `GET /area/wrong` is the raw function"):
            late.get("/area/wrong")


@pytest.mark.parametrize("kind", ["exception handler", "middleware", "dependency"])
def test_a_guard_above_what_else_an_app_registers_is_refused(kind, plain):
    """Functions that run beside the endpoints."""
    kept = []

    def register(function):
        kept.append(function)
        return function

    above = {
        "exception handler": plain.app.exception_handler(KeyError),
        "middleware": plain.app.middleware("http"),
        "dependency": register,
    }[kind]

    @above
    @plain.guard.purpose("support", root=True)
    async def right(*given):
        """Nothing."""

    @plain.guard.purpose("support", root=True)
    @above
    async def wrong():
        """Nothing."""

    async def user(_=Depends(kept[-1] if kept else right)):  # noqa: B008 - as FastAPI has it
        """Nothing."""

    @plain.app.get("/", dependencies=[Depends(user)])
    def endpoint():
        """Nothing."""

    (adapter,) = adapters(plain.app)
    with pytest.raises(ScopeError, match=rf"the {kind} `{__name__}\..*wrong` is the raw function"):
        adapter.check()


def test_an_app_with_a_raw_endpoint_does_not_start(plain):
    """Servers take an exception at start for an app without a start: it is told in their words."""
    started = []

    @asynccontextmanager
    async def lifespan(_):
        started.append(True)
        yield

    service = Service(lifespan=lifespan)

    @service.guard.purpose("support", root=True)
    @service.app.get("/wrong")
    def wrong():
        return "wrong"

    sent = []

    async def receive():
        return {"type": "lifespan.startup"}

    async def send(message):
        sent.append(message)

    with pytest.raises(ScopeError):
        asyncio.run(service.app({"type": "lifespan", "state": {}}, receive, send))
    (failed,) = sent
    assert failed["type"] == "lifespan.startup.failed"
    assert "put the guard below what registered it" in failed["message"]
    with pytest.raises(ScopeError, match="is the raw function"), TestClient(service.app):
        raise AssertionError
    assert not started


def test_routes_and_what_declares_them(plain):
    """What a review asks of a service."""
    router = APIRouter(dependencies=[plain.declares("hiring")])

    @router.get("/own", dependencies=[plain.declares("support")])
    def own():
        """Nothing."""

    @router.post("/default")
    def default():
        """Nothing."""

    @plain.app.get("/guard")
    @plain.guard.purpose("ads", root=True)
    def of_guard():
        """Nothing."""

    @plain.app.get("/none")
    def none():
        """Nothing."""

    @plain.app.websocket("/talk", dependencies=[plain.declares("support")])
    async def talk(socket: WebSocket):
        """Nothing."""

    plain.app.include_router(router, prefix="/area")
    here = f"{__name__}.test_routes_and_what_declares_them.<locals>"
    (adapter,) = adapters(plain.app)
    found = adapter.declared()
    assert [each.name for each in found if each.own] == [
        "GET /openapi.json",
        "GET /docs",
        "GET /docs/oauth2-redirect",
        "GET /redoc",
    ]
    assert [each for each in found if not each.own] == [
        Declared("GET /guard", f"{here}.of_guard", "ads", "guard"),
        Declared("GET /none", f"{here}.none", None, None),
        Declared("WEBSOCKET /talk", f"{here}.talk", "support", "dependency"),
        Declared("GET /area/own", f"{here}.own", "support", "dependency"),
        Declared("POST /area/default", f"{here}.default", "hiring", "dependency"),
    ]


def listed(app):
    """Return what an app's adapters tell of it, apart from what is the framework's own."""
    return {
        each.name: (each.purpose, each.by)
        for adapter in adapters(app)
        for each in adapter.declared()
        if not each.own
    }


async def starlette_endpoint(request):
    """Answer as a Starlette route does."""
    return PlainTextResponse("")


async def starlette_talk(socket):
    """Talk as a Starlette route does."""
    await socket.accept()


def test_every_way_into_an_app_is_listed(plain, tmp_path):
    """Routes of Starlette and of mounted apps too; static files are the framework's own."""
    app, child, router = plain.app, FastAPI(), APIRouter()

    class Other(HTTPEndpoint):
        """Takes any method."""

    async def opaque(scope, receive, send):
        """Nothing."""

    @app.head("/head")
    def head():
        """Nothing."""

    @child.get("/all")
    def everybody():
        """Nothing."""

    @child.get("/declared", dependencies=[plain.declares("support")])
    def declared():
        """Nothing."""

    app.add_route("/people", starlette_endpoint)
    app.router.routes.append(WebSocketRoute("/feed", starlette_talk))
    app.router.routes.append(Route("/class", Other))
    app.mount("/child", child)
    app.mount("/again", child)
    app.router.routes.append(Mount("/mount", routes=[Route("/r", starlette_endpoint)]))
    app.router.routes.append(Host("api.example", child))
    app.mount("/opaque", opaque)
    app.mount("/static", StaticFiles(directory=tmp_path))
    app.mount("/self", app)
    child.mount("/deeper", Starlette(routes=[Route("/r", starlette_endpoint)]))
    router.add_route("/included", starlette_endpoint)
    app.include_router(router, prefix="/area")
    none, support = (None, None), ("support", "dependency")
    assert listed(app) == {
        "HEAD /head": none,
        "GET /people": none,
        "WEBSOCKET /feed": none,
        "ANY /class": none,
        "GET /child/all": none,
        "GET /child/declared": support,
        "GET /child/deeper/r": none,
        "GET /again/all": none,
        "GET /again/declared": support,
        "GET /again/deeper/r": none,
        "GET /mount/r": none,
        "GET api.example/all": none,
        "GET api.example/declared": support,
        "GET api.example/deeper/r": none,
        "MOUNT /opaque": none,
        "GET /area/included": none,
    }


def test_what_middleware_declares_is_listed(plain):
    """Around a mounted app, in it, or around a route; the innermost begins the scope."""

    def around(purpose):
        return Middleware(ASGIPurpose, plain.guard, purpose)

    def child(*middleware, **options):
        return Starlette(routes=[Route("/", starlette_endpoint, **options)], middleware=middleware)

    async def opaque(scope, receive, send):
        """Nothing."""

    other = FastAPI()
    plain.purposes.install(other)
    other.add_route("/", starlette_endpoint)
    own = child(middleware=[around("hiring")])
    foreign = Middleware(ASGIPurpose, Guard(), "support")
    plain.app.mount("/wrapped", ASGIPurpose(child(), plain.guard, "ads"))
    plain.app.mount("/opaque", ASGIPurpose(opaque, plain.guard, "ads"))
    plain.app.mount("/inside", ASGIPurpose(child(around("support")), plain.guard, "ads"))
    plain.app.mount("/route", ASGIPurpose(own, plain.guard, "ads"))
    plain.app.mount("/adapter", ASGIPurpose(other, plain.guard, "ads"))
    plain.app.mount("/foreign", child(foreign))
    plain.app.router.routes.append(Mount("/mount", child(), middleware=[around("ads")]))
    assert listed(plain.app) == {
        "GET /wrapped/": ("ads", "middleware"),
        "MOUNT /opaque": ("ads", "middleware"),
        "GET /inside/": ("support", "middleware"),
        "GET /route/": ("hiring", "middleware"),
        "GET /adapter/": (None, None),
        "GET /foreign/": (None, None),
        "GET /mount/": ("ads", "middleware"),
    }


def test_a_guard_above_a_route_of_a_mounted_app_is_refused(plain):
    """As it is above one of the app's own."""
    child = FastAPI()

    @plain.guard.access("customer")
    @child.get("/wrong")
    def wrong():
        return "wrong"

    plain.app.mount("/child", child)
    with pytest.raises(ScopeError, match="the endpoint `GET /child/wrong` is the raw function"):
        plain.get("/")


def test_a_route_and_its_endpoint_may_both_declare(plain):
    """Then both must permit, and list and document name both, outermost first."""

    @plain.app.get("/both", dependencies=[plain.declares("ads")])
    @plain.guard.purpose("support")
    def both():
        return " ".join([plain.reason(), *plain.guard.purposes_in_force()])

    @plain.app.get("/guard")
    @plain.guard.purpose("support")
    def of_guard():
        """Nothing."""

    @plain.app.get("/anew", dependencies=[plain.declares("ads")])
    @plain.guard.purpose("support", root=True)
    def anew():
        """Nothing."""

    assert plain.get("/both").text == "not_granted ads support"
    assert listed(plain.app) == {
        "GET /both": ("ads, support", "dependency, guard"),
        "GET /guard": ("support", "guard"),
        "GET /anew": ("support", "guard"),
    }
    paths = plain.app.openapi()["paths"]
    found = {path: operations["get"]["x-purpose"] for path, operations in paths.items()}
    assert found == {"/both": "ads, support", "/guard": "support", "/anew": "support"}


@pytest.mark.parametrize("route", [None, "ads"])
@pytest.mark.parametrize("form", ["function", "class", "security"])
def test_a_purpose_declared_inside_a_dependency_is_refused(form, route):
    """It would be for the whole route, and says nothing there: where the route has none, too."""
    service = Service()

    async def user(_: None = service.declares("support")):
        return service.reason()

    class User:
        def __init__(self, _: None = service.declares("support")):
            """Nothing."""

    depends = {"function": Depends(user), "class": Depends(User), "security": Security(user)}[form]
    ways = [] if route is None else [service.declares(route)]

    @service.app.get("/", dependencies=ways)
    def endpoint(_=depends):
        return service.reason()

    place = rf"{User.__qualname__ if form == 'class' else user.__qualname__}`"
    with pytest.raises(ScopeError) as raised:
        service.get("/")
    assert str(raised.value).startswith("the endpoint `GET /` has a purpose declared inside its")
    assert place in str(raised.value)
    assert "guard.purpose(…)" in str(raised.value)


@pytest.mark.parametrize("nested", [False, True])
def test_an_endpoint_that_depends_on_the_adapter_itself_is_refused(nested):
    """A forgotten call: the purpose would be a parameter of whoever calls."""
    service = Service()
    service.guard = Guard()
    purposes = FastAPIPurposes(service.guard)
    purposes.install(service.app)
    forgotten = Depends(purposes)

    async def user(_=forgotten):
        """Nothing."""

    @service.app.get("/", dependencies=[Depends(user if nested else purposes)])
    def endpoint():
        return ""

    with pytest.raises(ScopeError, match=r"`GET /` depends on the adapter itself.*Depends\(purp"):
        service.get("/?purpose=anything")
    unadapted = FastAPI()
    unadapted.get("/", dependencies=[Depends(user if nested else purposes)])(endpoint)
    with pytest.raises(TypeError):
        TestClient(unadapted).get("/?purpose=anything")
    service.guard.load(POLICY)  # which judges all names that were taken down


def test_a_declaration_in_the_wrong_place_is_told(plain):
    """As a decorator on either side of the route, or without `Depends`."""
    fix = re.escape('write `dependencies=[Depends(purposes("support"))]` in the route')
    for place in ("above", "below"):
        with pytest.raises(ScopeError, match=rf"decorates `{__name__}\..*endpoint`: {fix}"):
            if place == "above":

                @plain.purposes("support")
                @plain.app.get("/above")
                def endpoint():
                    """Nothing."""
            else:

                @plain.app.get("/below")
                @plain.purposes("support")
                async def endpoint():
                    """Nothing."""

    for app in (plain.app, APIRouter()):
        with pytest.raises(ScopeError, match=fix):

            @app.get("/list", dependencies=[plain.purposes("support")])
            def listed():
                """Nothing."""


def test_the_adapter_may_be_given_the_app():
    """As Flask's is; the first argument is the guard."""
    data, app = Data(), FastAPI()
    purposes = FastAPIPurposes(data.guard, app)

    @app.get("/", dependencies=[Depends(purposes("support"))])
    def endpoint():
        return data.reason()

    assert TestClient(app).get("/").json() == "granted"
    with pytest.raises(
        UnknownNameError, match=r"is no guard: write `FastAPIPurposes\(guard, app\)`"
    ):
        FastAPIPurposes(app)


def test_a_dependency_may_have_a_purpose_of_its_own(plain):
    """On top of the route's: the guard's own `purpose`."""

    @plain.guard.purpose("support")
    async def user():
        return plain.reason()

    @plain.app.get("/", dependencies=[Security(plain.purposes("ads"))])
    def endpoint(user: str = Depends(user)):
        return f"{user} {' '.join(plain.guard.purposes_in_force())}"

    @plain.app.get("/right", dependencies=[plain.declares("support")])
    def right(user: str = Depends(user)):
        return f"{user} {' '.join(plain.guard.purposes_in_force())}"

    assert plain.get("/").text == "not_granted ads"
    assert plain.get("/right").text == "granted support"


def test_names_are_judged_where_they_are_declared(plain):
    """Or at the guard's first load."""
    with pytest.raises(UnknownNameError, match=r"did you mean `support`\?"):
        plain.purposes("suport")
    purposes = FastAPIPurposes(Guard())
    purposes("suport")
    with pytest.raises(UnknownNameError, match=rf"{__file__}:\d+: `suport`"):
        purposes.guard.load(POLICY)


def test_several_guards():
    """Each has its own declarations."""
    first, second = Service(), Data()
    others = FastAPIPurposes(second.guard)
    others.install(first.app)

    @first.app.get("/", dependencies=[first.declares("support"), Depends(others("hiring"))])
    def endpoint(request: Request):
        return f"{first.reason()} {second.reason()}"

    assert first.get("/").text == "granted not_granted"


@pytest.mark.parametrize("side", ["before", "after", *(["native"] if TRACES_ITSELF else [])])
@pytest.mark.parametrize("middleware", [False, True])
def test_spans_sit_inside_the_server_span(side, middleware):
    """And that span says what the request was for."""
    service = Service(side)
    guard = Guard(POLICY, tracer_provider=service._provider)
    purposes = FastAPIPurposes(guard)
    purposes.install(service.app)
    if middleware:
        service.app.add_middleware(Passing)

    @service.app.get("/", dependencies=[Depends(purposes("support.inquiry"))])
    async def endpoint():
        guard.check("customer", items=["name"])
        return ""

    service.get("/")
    spans = {span.name: span for span in service.exporter.get_finished_spans()}
    access, server = spans["access customer"], spans["GET /"]
    assert server.kind is SpanKind.SERVER
    inside = {span.context.span_id for span in spans.values()} if side == "native" else set()
    assert access.parent.span_id in inside | {server.context.span_id}
    assert access.context.trace_id == server.context.trace_id
    assert server.attributes["purposeguard.purpose"] == "support.inquiry"


def test_requests_at_once_never_share_a_purpose(plain):
    """In one event loop, and between any two steps of a body."""

    async def steps():
        for _ in range(20):
            yield f"{plain.reason()}\n"
            await asyncio.sleep(0)

    for path, purpose in (("/support", "support"), ("/hiring", "hiring")):

        @plain.app.get(path, dependencies=[plain.declares(purpose)])
        async def endpoint():
            return StreamingResponse(steps())

    right = {"/support": "granted\n" * 20, "/hiring": "not_granted\n" * 20}
    wrong = []
    with TestClient(plain.app) as client:

        def ask(path):
            for _ in range(20):
                if client.get(path).text != right[path]:
                    wrong.append(path)

        threads = [threading.Thread(target=ask, args=(path,)) for path in right for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_files_that_an_app_makes_itself_are_listed(plain, tmp_path):
    """Starlette's own static files need no purpose; what is derived from them may."""

    class Photos(StaticFiles):
        pass

    plain.app.mount("/static", StaticFiles(directory=tmp_path))
    plain.app.mount("/photos", Photos(directory=tmp_path))
    (adapter,) = adapters(plain.app)
    found = [each.name for each in adapter.declared() if not each.own]
    assert "MOUNT /photos" in found
    assert "MOUNT /static" not in found
