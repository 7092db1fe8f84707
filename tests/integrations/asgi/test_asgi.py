"""The ASGI middleware around apps, routes and mounts, with Starlette as one of them."""

import asyncio
import sys

import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from integrations.web_kit import DATA, POLICY, Data
from purposeguard import AccessDeniedError, Guard, ScopeError, UnknownNameError
from purposeguard.integrations.asgi import ASGIPurpose
from purposeguard.integrations.tokens import TrustedIssuers


@pytest.fixture
def data():
    """A guard, and guarded data."""
    return Data()


class Claimed:
    """Stands for a genuine token of `billing`, whatever its purposes."""

    issuer = "billing"

    def __init__(self, *purposes):
        self.purposes = purposes


class Trusting:
    """Believes every token that names a purpose, for the tests of what is done with them."""

    def __init__(self, required=False):
        self.required = required
        self.asked = []

    def read(self, token):
        """Return the claim."""
        self.asked.append(token)
        return Claimed(token.decode()) if token else None


def test_routes_and_mounted_apps(data):
    """Each has the purpose that it was given; the route's middleware is nearer than the app's."""

    async def endpoint(request):
        return PlainTextResponse(data.reason())

    async def body(request):
        return StreamingResponse(data.customers())

    def wrapped(purpose):
        return [Middleware(ASGIPurpose, data.guard, purpose)]

    app = Starlette(
        routes=[
            Route("/support", endpoint, middleware=wrapped("support")),
            Route("/body", body, middleware=wrapped("support")),
            Route("/app", endpoint),
            Mount("/mounted", ASGIPurpose(Starlette(routes=[Route("/", endpoint)]), data.guard)),
        ],
        middleware=wrapped("ads"),
    )
    client = TestClient(app)
    assert client.get("/support").text == "granted"
    assert client.get("/body").text == DATA * 3
    assert client.get("/app").text == "not_granted"
    assert client.get("/mounted/").text == "purpose_undeclared"


def test_a_denial_is_answered(data):
    """As a problem document; a WebSocket is closed with the reason."""

    async def endpoint(request):
        return PlainTextResponse(data.customer())

    async def talk(socket):
        await socket.accept()
        data.customer()

    routes = [Route("/", endpoint), WebSocketRoute("/talk", talk)]
    inside = Starlette(routes=routes, middleware=[Middleware(ASGIPurpose, data.guard, "ads")])
    answer = TestClient(inside).get("/")
    assert (answer.status_code, answer.json()["reason"]) == (403, "not_granted")
    assert answer.headers["content-type"] == "application/problem+json"
    with (
        TestClient(inside).websocket_connect("/talk") as socket,
        pytest.raises(WebSocketDisconnect) as closed,
    ):
        socket.receive_text()
    assert (closed.value.code, closed.value.reason) == (1008, "not_granted")


class Passing(BaseHTTPMiddleware):
    """Middleware that runs the app in a task of its own."""

    async def dispatch(self, request, call_next):
        """Change nothing."""
        return await call_next(request)


@pytest.mark.parametrize("debug", [False, True])
def test_a_denial_inside_an_app_that_answers_errors_itself(debug, data):
    """Starlette sends a 500 and raises the error again: the answer is the denial's all the same."""

    async def endpoint(request):
        return PlainTextResponse(data.customer())

    def child():
        return Starlette(debug, [Route("/", endpoint)])

    wrapped = [Middleware(ASGIPurpose, data.guard, "ads")]
    around = Starlette(routes=[Mount("/", child(), middleware=wrapped)])
    mounted = Starlette(routes=[Mount("/", ASGIPurpose(child(), data.guard, "ads"))])
    for app in (ASGIPurpose(child(), data.guard, "ads"), around, mounted):
        answer = TestClient(app).get("/")
        assert (answer.status_code, answer.json()["reason"]) == (403, "not_granted")
    between = [*wrapped, Middleware(Passing)]
    apart = Starlette(routes=[Mount("/", child(), middleware=between)])
    answer = TestClient(apart, raise_server_exceptions=False).get("/")
    assert answer.status_code == 500  # a known limit: another task sends the answer
    assert DATA not in answer.text


def test_an_apps_own_500_is_sent_at_once(data):
    """Whatever comes after it: a task in the background that is denied changes no answer."""
    sent = []

    async def endpoint(request):
        return PlainTextResponse("mine", 500, background=BackgroundTask(work))

    async def work():
        sent.append("later")
        data.customer()

    app = Starlette(routes=[Route("/", endpoint)])
    answer = TestClient(ASGIPurpose(app, data.guard, "ads"), raise_server_exceptions=False).get("/")
    assert (answer.status_code, answer.text, sent) == (500, "mine", ["later"])


def test_an_error_of_the_apps_own_is_answered_by_the_app(data):
    """With all of its own answer, and raised again."""

    async def endpoint(request):
        raise ValueError("broken")

    async def answers(request, error):
        return PlainTextResponse("sorry", 500, {"x-own": "1"})

    app = Starlette(routes=[Route("/", endpoint)], exception_handlers={Exception: answers})
    guarded = ASGIPurpose(app, data.guard, "ads")
    answer = TestClient(guarded, raise_server_exceptions=False).get("/")
    assert (answer.status_code, answer.text, answer.headers["x-own"]) == (500, "sorry", "1")
    with pytest.raises(ValueError, match="broken"):
        TestClient(guarded).get("/")


@pytest.mark.parametrize("length", [True, False])
def test_a_500_in_parts_is_not_held_back(length, data):
    """It answers no denial, though one comes later."""
    sent = []
    known = []

    async def app(scope, receive, send):
        headers = [(b"Content-Length", b"2")] if length else []
        await send({"type": "http.response.start", "status": 500, "headers": headers})
        known.append(len(sent))
        await send({"type": "http.response.body", "body": b"a", "more_body": True})
        known.append(len(sent))
        await send({"type": "http.response.body", "body": b"b", "more_body": True})
        known.append(len(sent))
        data.customer()

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        sent.append(message)

    guarded = ASGIPurpose(app, data.guard, "ads")
    with pytest.raises(AccessDeniedError):
        asyncio.run(guarded({"type": "http", "headers": []}, receive, send))
    assert known == [1, 2, 3]
    assert [message.get("body") for message in sent] == [None, b"a", b"b"]


@pytest.mark.parametrize("own", [True, False])
def test_denials_in_a_group_are_answered_as_the_first(own, data):
    """As a task group raises them; a group with another error in it is the app's."""

    async def endpoint(request):
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(data.customer_async())
            tasks.create_task(fails())

    async def fails():
        if own:
            raise ValueError
        await data.customer_async()

    app = Starlette(routes=[Route("/", endpoint)])
    answer = TestClient(ASGIPurpose(app, data.guard, "ads"), raise_server_exceptions=False).get("/")
    assert answer.status_code == (500 if own else 403)


def test_a_denial_after_a_websocket_was_refused_is_raised(data):
    """With a response of the app's own: nothing may be sent behind it."""
    sent = []

    async def app(scope, receive, send):
        await send({"type": "websocket.http.response.start", "status": 401, "headers": []})
        data.customer()

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message["type"])

    guarded = ASGIPurpose(app, data.guard, "ads")
    with pytest.raises(AccessDeniedError):
        asyncio.run(guarded({"type": "websocket", "headers": []}, receive, send))
    assert sent == ["websocket.http.response.start"]


def run(app, scope, messages=(), sent=None):
    """Return what an app sends."""
    sent = [] if sent is None else sent
    waiting = iter(messages)

    async def receive():
        return next(waiting)

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    return sent


def test_a_denial_after_the_response_has_begun_is_raised(data):
    """Nothing can be answered any more; the server breaks the connection off."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        data.customer()

    with pytest.raises(AccessDeniedError):
        run(ASGIPurpose(app, data.guard, "ads"), {"type": "http", "headers": []})


def test_other_scopes_pass(data):
    """Untouched, with nothing declared: such as the lifespan."""
    seen = []

    async def app(scope, receive, send):
        seen.append((scope["type"], data.reason()))

    run(ASGIPurpose(app, data.guard, "support"), {"type": "lifespan"})
    assert seen == [("lifespan", "purpose_undeclared")]


def test_what_fails_at_the_start_keeps_the_app_from_serving(data):
    """In every server's words, and at each request that comes all the same."""

    def refuse():
        raise ScopeError("the view is raw")

    async def app(scope, receive, send):
        raise AssertionError

    guarded = ASGIPurpose(app, data.guard, at_start=refuse)
    sent = []
    with pytest.raises(ScopeError):
        run(guarded, {"type": "lifespan"}, [{"type": "lifespan.startup"}], sent)
    assert sent == [{"type": "lifespan.startup.failed", "message": "the view is raw"}]
    for _ in range(2):
        with pytest.raises(ScopeError):
            run(guarded, {"type": "http", "headers": []})


@pytest.mark.parametrize(
    ("own", "headers", "reason"),
    [
        ("support", [b"support.inquiry"], "granted"),
        ("support", [b"ads"], "not_granted"),
        ("support", [], "granted"),
        ("ads", [b"support"], "not_granted"),
        (None, [b"support"], "purpose_undeclared"),
    ],
)
def test_a_token_can_only_narrow(own, headers, reason, data):
    """What the caller has signed comes on top of the app's own purpose, and never stands alone."""
    seen = []

    async def app(scope, receive, send):
        seen.append(data.reason())

    guarded = ASGIPurpose(app, data.guard, own, trusted=Trusting())
    named = [(b"purposeguard-purpose", value) for value in headers]
    run(guarded, {"type": "http", "headers": [(b"host", b"here"), *named]})
    assert seen == [reason]


@pytest.mark.parametrize(
    ("headers", "reason"),
    [([], "purpose_undeclared"), ([b"ads"], "not_granted"), ([b"support.inquiry"], "granted")],
)
@pytest.mark.parametrize("inside", [False, True])
def test_a_token_may_be_required(inside, headers, reason, data):
    """A request without one has no purpose then, also where an inner app does not ask for it."""
    seen = []

    async def app(scope, receive, send):
        seen.append(data.reason())

    app = ASGIPurpose(app, data.guard, "support") if inside else app
    guarded = ASGIPurpose(app, data.guard, "support", trusted=Trusting(required=True))
    named = [(b"purposeguard-purpose", value) for value in headers]
    run(guarded, {"type": "http", "headers": named})
    assert seen == [reason]


def test_several_tokens_are_refused_and_counted(data):
    """As a WSGI server's joined ones are: they narrow nothing."""
    trusted = TrustedIssuers("here", {"billing": b"a key of the tests, no secret key"})
    seen = []

    async def app(scope, receive, send):
        seen.append(data.reason())

    headers = [(b"purposeguard-purpose", b"one"), (b"purposeguard-purpose", b"two")]
    guarded = ASGIPurpose(app, data.guard, "support", trusted=trusted)
    run(guarded, {"type": "http", "headers": headers})
    assert (seen, dict(trusted.refused)) == (["granted"], {"malformed": 1})


def test_a_token_is_read_once_and_narrows_all_that_is_inside(data):
    """An inner app that trusts nobody by itself is no way out; another guard's adapter is."""
    trusted, other = Trusting(), Data()
    seen = []

    async def app(scope, receive, send):
        seen.append((data.reason(), other.reason()))

    inner = ASGIPurpose(ASGIPurpose(app, data.guard, "support"), other.guard, "support")
    again = ASGIPurpose(inner, data.guard, "support", trusted=trusted)
    guarded = ASGIPurpose(again, data.guard, "support", trusted=trusted)
    run(guarded, {"type": "http", "headers": [(b"purposeguard-purpose", b"ads")]})
    assert seen == [("not_granted", "granted")]
    assert trusted.asked == [b"ads"]


def test_headers_are_nothing_without_a_trusted_issuer(data):
    """Nor is baggage, ever."""
    seen = []

    async def app(scope, receive, send):
        seen.append(data.guard.purposes_in_force())

    headers = [(b"purposeguard-purpose", b"ads"), (b"baggage", b"purposeguard.purpose=ads")]
    for own in ("support", None):
        run(ASGIPurpose(app, data.guard, own), {"type": "http", "headers": headers})
    assert seen == [("support",), ()]


def test_names_are_judged_at_once(data):
    """Where the middleware is made."""
    with pytest.raises(UnknownNameError, match=r"did you mean `support`\?"):
        ASGIPurpose(lambda *_: None, data.guard, "suport")


def test_a_name_is_told_with_the_place_that_named_it():
    """Whoever calls the constructor; an app makes its own middleware at the first request."""
    guard = Guard()
    named = [Middleware(ASGIPurpose, guard, "suport")]
    ASGIPurpose(lambda *_: None, guard, "inquiry")
    line = sys._getframe().f_lineno - 1
    Route("/", lambda *_: None, middleware=[Middleware(ASGIPurpose, guard, "hirring")])
    TestClient(Starlette(middleware=named)).get("/")
    TestClient(FastAPI(middleware=named)).get("/")
    with pytest.raises(UnknownNameError) as raised:
        guard.load(POLICY)
    places = [told.partition("`")[0] for told in str(raised.value).split("\n")]
    assert places == [f"{__file__}:{line}: ", f"{__file__}:{line + 2}: ", ""]
    assert str(raised.value).count("suport") == 1
