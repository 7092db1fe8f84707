"""ASGI: pure middleware, inside which everything is one root scope."""

import inspect
import json
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from types import FrameType
from typing import Any

from purposeguard.exceptions import AccessDeniedError, ScopeError
from purposeguard.guard import Guard
from purposeguard.integrations.coverage import goes_on
from purposeguard.integrations.inbound import HEADER, Claim, Trusted, go_on, server_span
from purposeguard.integrations.problems import MEDIA_TYPE, denial_in, problem

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

POLICY_VIOLATION = 1008
"""The close code of a WebSocket over which no access was permitted (RFC 6455, 7.4.1)."""

ROOTS = "purposeguard.roots"
"""The key of a scope under which the open root scope of each guard is kept."""

SERVER_SPAN = "purposeguard.server_span"
"""The key of a scope under which the server span is kept for what runs further inside."""

CLAIMS = "purposeguard.claims"
"""The key of a scope under which is kept, for each guard, what the token says to whom it trusts."""

_FRAMEWORKS = ("purposeguard", "starlette", "fastapi")

_HEADER = HEADER.lower().encode()

_BEGINNINGS = ("http.response.start", "websocket.http.response.start", "websocket.close")
"""After these messages nothing else can be answered."""


class ASGIPurpose:
    """Runs each request and WebSocket of an app for one purpose, from its start to its last byte.

    `purpose` left out begins an empty chain: nothing is declared, whatever the server's context
    holds. Put it around a mounted app or a route. `trusted` tells whose tokens may narrow the
    purpose further. An access that is denied before a response has begun is answered with 403, or
    closes the WebSocket. `at_start` is called once, when the app starts or is first asked: what it
    raises keeps the app from serving, apart from a ScopeError that in observe mode is met only
    when the app is asked.

    Raises UnknownNameError for a purpose that the policy lacks.
    """

    def __init__(
        self,
        app: App,
        guard: Guard,
        purpose: str | None = None,
        *,
        trusted: Trusted | None = None,
        at_start: Callable[[], None] | None = None,
    ) -> None:
        if purpose is not None:
            guard.require_purpose(purpose, depth=_depth())
        self.app = app
        self.guard = guard
        self.purpose = purpose
        self._trusted = trusted
        self._at_start = at_start

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, WebSocket or lifespan."""
        try:
            self._start()
        except ScopeError as error:
            if scope["type"] == "lifespan":
                # Servers take an exception here for an app that has no lifespan, and serve it.
                await receive()
                await send({"type": "lifespan.startup.failed", "message": str(error)})
            if scope["type"] == "lifespan" or not goes_on(self.guard, error):
                raise  # a client of tests waits for it
            self._at_start = None
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        span = scope.setdefault(SERVER_SPAN, server_span())
        root = self.guard.open_root()
        claim, missing = claim_in(scope, self.guard, self._trusted)
        go_on(root, self.purpose, claim, missing=missing, span=span)
        answer = _Answer(scope, send)
        around = scope.get(ROOTS, {})
        scope[ROOTS] = {**around, self.guard: root}
        try:
            with root:
                await self.app(scope, receive, answer.send)
            await answer.release()
        except Exception as error:
            denial = answer.denial(error)
            if denial is None:
                await answer.release()
                raise
            await answer.deny(denial)
        finally:
            scope[ROOTS] = around
            root.end()

    def _start(self) -> None:
        if self._at_start is not None:
            self._at_start()
            self._at_start = None


def _depth() -> int | None:
    """Return how many calls above its constructor the middleware was put in.

    None where it is made at the first request: what stands above the frameworks then is a server.
    """
    frame: FrameType | None = sys._getframe(1)
    depth = 1
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _FRAMEWORKS:
        if frame.f_code.co_flags & inspect.CO_COROUTINE:
            return None
        frame = frame.f_back
        depth += 1
    return None if frame is None else depth


def claim_in(scope: Scope, guard: Guard, trusted: Trusted | None) -> tuple[Claim | None, bool]:
    """Return what the token of a request says, if any that a guard was told to trust believes it.

    The second value is whether there is none, and one of them requires it. Each reads it once for a
    request: a token that expires meanwhile goes on to narrow.
    """
    read: dict[Trusted, Claim | None] = scope.setdefault(CLAIMS, {}).setdefault(guard, {})
    if trusted is not None and trusted not in read:
        # Several tokens are none: joined, as WSGI servers join them, they are counted as malformed.
        found = b",".join(value for name, value in scope["headers"] if name == _HEADER)
        read[trusted] = trusted.read(found) if found else None
    claim = next((claim for claim in read.values() if claim is not None), None)
    return claim, claim is None and any(each.required for each in read)


class _Answer:
    """What is sent, and whether anything was.

    An app that is mounted or wrapped answers an error that it has no handler for with 500, and
    raises it again. Such an answer to a denial is held back, if it says its length, with the first
    part of its body. One that is streamed is sent at once.
    """

    def __init__(self, scope: Scope, send: Send) -> None:
        self._send = send
        self._websocket = scope["type"] == "websocket"
        self._held: list[Message] = []
        self._begun = False

    async def send(self, message: Message) -> None:
        """Send a message, or hold it back."""
        if self._holds(message):
            self._held.append(message)
            return
        await self.release()
        self._begun = self._begun or message["type"] in _BEGINNINGS
        await self._send(message)

    def _holds(self, message: Message) -> bool:
        if message["type"] == "http.response.start":
            named = (name.lower() for name, _ in message.get("headers", ()))
            denied = denial_in(sys.exception()) is not None  # what is being handled
            return denied and message["status"] == 500 and b"content-length" in named
        # Middleware may send the whole body as one part, and then an empty one.
        last = len(self._held) == 2 and not message.get("body")
        return message["type"] == "http.response.body" and (len(self._held) == 1 or last)

    async def release(self) -> None:
        """Send what was held back."""
        held, self._held = self._held, []
        for message in held:
            self._begun = True
            await self._send(message)

    def denial(self, error: Exception) -> AccessDeniedError | None:
        """Return the denial that an error is, where it can be answered still."""
        if self._begun:
            return None
        if self._held and isinstance(error, RuntimeError) and error.__cause__ is not None:
            # Starlette says so of a response that is held back: it can't be handled any more.
            return denial_in(error.__cause__)
        return denial_in(error)

    async def deny(self, error: AccessDeniedError) -> None:
        """Answer with the denial, in place of what was held back."""
        document = problem(error)
        if self._websocket:
            await self._send(
                {"type": "websocket.close", "code": POLICY_VIOLATION, "reason": document["reason"]}
            )
            return
        body = json.dumps(document).encode()
        headers = [
            (b"content-type", MEDIA_TYPE.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        await self._send(
            {"type": "http.response.start", "status": document["status"], "headers": headers}
        )
        await self._send({"type": "http.response.body", "body": body})
