"""FastAPI: a dependency that opens a root scope, and keeps it to the response's last byte."""

import inspect
from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Any

from fastapi import FastAPI, Response, WebSocket, routing
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.requests import HTTPConnection

from purposeguard.exceptions import AccessDeniedError, ScopeError
from purposeguard.guard import Guard
from purposeguard.integrations.asgi import (
    ROOTS,
    SERVER_SPAN,
    ASGIPurpose,
    claim_in,
)
from purposeguard.integrations.coverage import Declared, guarded_for, qualified, refuse_raw
from purposeguard.integrations.inbound import Trusted, go_on
from purposeguard.integrations.problems import MEDIA_TYPE, denial_in, problem

EXTENSION = "purposeguard"
"""The attribute of an app's `state` under which its adapters are listed."""


class FastAPIPurposes:
    """Declares what an app's routes are for.

    `Depends(purposes("support.inquiry_response"))` goes among the `dependencies` of a route, router
    or app, or into an endpoint's parameters. The nearest declaration wins. It holds for the
    endpoint, streamed bodies, background tasks and WebSockets. A route without one has an empty
    chain. `trusted` tells whose tokens may narrow a request's purpose further.
    """

    def __init__(self, guard: Guard, *, trusted: Trusted | None = None) -> None:
        self.guard = guard
        self._trusted = trusted

    def __call__(self, purpose: str) -> "Declaration":
        """Return a dependency that says what a route is for.

        Raises UnknownNameError for a purpose that the policy lacks.
        """
        self.guard.require_purpose(purpose, depth=2)
        return Declaration(self.guard, purpose, self._trusted)

    def install(self, app: FastAPI) -> None:
        """Put the adapter into an app: middleware, the answer to denials, and `x-purpose`.

        `x-purpose` says in the OpenAPI document what each operation is for. When the app starts, or
        is first asked, endpoints that pass a guard by are refused (ScopeError). An access that is
        denied is answered with 403, unless the app has an exception handler of its own.
        """
        in_app = _InApp(self, app)
        listed = getattr(app.state, EXTENSION, [])
        setattr(app.state, EXTENSION, [*listed, in_app])
        app.add_middleware(ASGIPurpose, guard=self.guard, at_start=in_app.check)
        handlers: dict[Any, Any] = app.exception_handlers
        handlers.setdefault(AccessDeniedError, _denied)
        handlers.setdefault(ExceptionGroup, in_app.denied_in_group)
        document = app.openapi

        def openapi() -> dict[str, Any]:
            return in_app.mark(document())

        app.openapi = openapi  # type: ignore[method-assign]


class Declaration:
    """A dependency that says what a route is for."""

    def __init__(self, guard: Guard, purpose: str, trusted: Trusted | None) -> None:
        self.guard = guard
        self.purpose = purpose
        self._trusted = trusted

    async def __call__(self, connection: HTTPConnection) -> AsyncGenerator[None, None]:
        """Say what the request's root scope is for.

        FastAPI may take back the context that a dependency leaves behind, as where it traces
        itself. So the scope is the middleware's, and is entered once more where something in
        between has dropped it. A further declaration on the way to the same endpoint changes
        nothing. Raises ScopeError in an app that has no such middleware.
        """
        scope = connection.scope
        root = scope.get(ROOTS, {}).get(self.guard)
        if root is None:
            raise ScopeError(
                "the app has no scope for its requests: put the adapter into it with "
                "`purposes.install(app)`"
            )
        nearest = _nearest(self.guard, scope.get("route"))
        purpose = self.purpose if nearest is None else nearest
        claim = claim_in(scope, self.guard, self._trusted)
        changed = go_on(root, purpose, claim, span=scope.get(SERVER_SPAN))
        if root.current() and not changed:
            yield
            return
        with root:
            yield


def _nearest(guard: Guard, route: Any) -> str | None:
    """Return what a route is for: of all its dependencies, the last one says it."""
    declared = _declarations(guard, getattr(route, "dependant", None))
    return next((each.purpose for each in reversed(list(declared))), None)


def _declarations(guard: Guard, dependant: Any) -> Iterator[Declaration]:
    """Yield the declarations that a route depends on, in the order in which they are called."""
    for inner in getattr(dependant, "dependencies", ()):
        yield from _declarations(guard, inner)
        if isinstance(inner.call, Declaration) and inner.call.guard is guard:
            yield inner.call


class _InApp:
    """The adapter in one app."""

    def __init__(self, purposes: FastAPIPurposes, app: FastAPI) -> None:
        self._guard = purposes.guard
        self._app = app

    def declared(self) -> list[Declared]:
        """Return the app's routes, in the order of registration."""
        return [
            self._declared(route)
            for route in _routes(self._app)
            if getattr(route, "endpoint", None) is not None
        ]

    def _declared(self, route: Any) -> Declared:
        endpoint = route.endpoint
        own, nearest = guarded_for(self._guard, endpoint), self._purpose(route)
        return Declared(
            f"{_methods(route)} {route.path}",
            qualified(endpoint),
            own or nearest,
            "guard" if own else "dependency" if nearest else None,
            own=not hasattr(route, "dependant"),
        )

    def _purpose(self, route: Any) -> str | None:
        return _nearest(self._guard, route)

    def mark(self, document: dict[str, Any]) -> dict[str, Any]:
        """Say in an OpenAPI document what each operation is for."""
        paths = document.get("paths", {})
        for route in _routes(self._app):
            purpose = self._purpose(route)
            operations = paths.get(getattr(route, "path_format", None), {})
            for method in getattr(route, "methods", None) or () if purpose else ():
                if method.lower() in operations:
                    operations[method.lower()]["x-purpose"] = purpose
        return document

    def check(self) -> None:
        """Raise ScopeError where an endpoint passes a guard by."""
        endpoints = [
            (f"{_methods(route)} {route.path}", endpoint)
            for route in _routes(self._app)
            if (endpoint := getattr(route, "endpoint", None)) is not None
        ]
        refuse_raw(self._guard, "endpoint", endpoints)

    async def denied_in_group(
        self, connection: HTTPConnection, group: ExceptionGroup[Any]
    ) -> Response:
        """Answer a group of denials as its first one: no handler for denials is asked for it."""
        denial = denial_in(group)
        if denial is None:
            raise group
        handlers: dict[Any, Any] = self._app.exception_handlers
        handler = next(handlers[kind] for kind in type(denial).__mro__ if kind in handlers)
        if not inspect.iscoroutinefunction(handler):
            return await run_in_threadpool(handler, connection, denial)
        answer: Response = await handler(connection, denial)
        return answer


def adapters(app: FastAPI) -> list[_InApp]:
    """Return the adapters that were put into an app."""
    return list(getattr(app.state, EXTENSION, []))


def _routes(app: FastAPI) -> Sequence[Any]:
    """Return an app's routes: a tree since FastAPI 0.137, a list before."""
    walk = getattr(routing, "iter_route_contexts", None)
    return app.routes if walk is None else list(walk(app.routes))


def _methods(route: Any) -> str:
    methods = sorted(set(getattr(route, "methods", None) or ()) - {"HEAD"})
    return ",".join(methods) or "WEBSOCKET"


async def _denied(connection: HTTPConnection, error: AccessDeniedError) -> Response:
    if isinstance(connection, WebSocket):
        raise error  # the middleware knows whether it can be closed still
    document = problem(error)
    return JSONResponse(document, document["status"], media_type=MEDIA_TYPE)
