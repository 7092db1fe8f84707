"""FastAPI: a dependency that opens a root scope, and keeps it to the response's last byte."""

import inspect
from collections.abc import AsyncGenerator, Iterator
from typing import Any

try:
    from fastapi import FastAPI, Response, WebSocket
except ImportError:
    raise ImportError(
        "the adapter for FastAPI needs it, which the extra `fastapi` brings: "
        "pip install 'purposeguard[fastapi]'"
    ) from None

from fastapi.responses import JSONResponse
from starlette.requests import HTTPConnection

from purposeguard.exceptions import AccessDeniedError, ScopeError, UnknownNameError
from purposeguard.guard import Guard
from purposeguard.integrations.asgi import ROOTS, SERVER_SPAN, ASGIPurpose, claim_in
from purposeguard.integrations.coverage import (
    Declared,
    declared_for,
    goes_on,
    qualified,
    refuse_raw,
)
from purposeguard.integrations.fastapi_routes import Way, ways_into
from purposeguard.integrations.inbound import Trusted, go_on
from purposeguard.integrations.problems import MEDIA_TYPE, problem
from purposeguard.policy.names import shown

EXTENSION = "purposeguard"
"""The attribute of an app's `state` under which its adapters are listed."""


class FastAPIPurposes:
    """Declares what an app's routes are for.

    `Depends(purposes("support.inquiry_response"))` goes among the `dependencies` of a route, router
    or app, or into an endpoint's parameters. The nearest declaration wins. It holds for the
    endpoint, streamed bodies, background tasks and WebSockets. A route without one has an empty
    chain. `trusted` tells whose tokens may narrow a request's purpose further. An `app` that is
    given has the adapter put into it, as by `install`.

    Raises UnknownNameError for what is no guard.
    """

    def __init__(
        self, guard: Guard, app: FastAPI | None = None, *, trusted: Trusted | None = None
    ) -> None:
        if not isinstance(guard, Guard):
            raise UnknownNameError(
                "the first argument is no guard: write `FastAPIPurposes(guard, app)`", "guard"
            )
        self.guard = guard
        self._trusted = trusted
        if app is not None:
            self.install(app)

    # A dependency is called by keyword: as one, this must not take down what a caller sends.
    def __call__(self, purpose: str, /) -> "Declaration":
        """Return a dependency that says what a route is for.

        Raises UnknownNameError for a purpose that the policy lacks.
        """
        self.guard.require_purpose(purpose, depth=2)
        return Declaration(self.guard, purpose, self._trusted)

    def install(self, app: FastAPI) -> None:
        """Put the adapter into an app: middleware, the answer to denials, and `x-purpose`.

        `x-purpose` says in the OpenAPI document what each operation is for. When the app starts, or
        is first asked, functions that pass a guard by and purposes that are misplaced are refused
        (ScopeError); in observe mode only when it starts. An access that is denied is answered with
        403, unless the app has an exception handler of its own.
        """
        in_app = _InApp(self, app)
        listed = getattr(app.state, EXTENSION, [])
        setattr(app.state, EXTENSION, [*listed, in_app])
        app.add_middleware(
            ASGIPurpose, guard=self.guard, trusted=self._trusted, at_start=in_app.check
        )
        handlers: dict[Any, Any] = app.exception_handlers
        handlers.setdefault(AccessDeniedError, _denied)
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
        self._told = False
        # FastAPI asks the object, not its class, whether its call is a generator's.
        self.__call__ = self._declare  # type: ignore[method-assign]

    def __call__(self, connection: HTTPConnection) -> AsyncGenerator[None, None]:
        """Return the steps of the dependency. Raises ScopeError where it decorates something."""
        if not isinstance(connection, HTTPConnection):
            raise self._misplaced(f"decorates `{qualified(connection)}`")
        return self._declare(connection)

    @property
    def dependency(self) -> Any:
        """What FastAPI looks for in a list of dependencies: raises ScopeError."""
        raise self._misplaced("stands in a list of dependencies by itself")

    def _misplaced(self, how: str) -> ScopeError:
        said = f'purposes("{shown(self.purpose)}")'
        return ScopeError(f"`{said}` {how}: write `dependencies=[Depends({said})]` in the route")

    async def _declare(self, connection: HTTPConnection) -> AsyncGenerator[None, None]:
        """Say what the request's root scope is for.

        FastAPI may take back the context that a dependency leaves behind, as where it traces
        itself. So the scope is the middleware's, and is entered once more where something in
        between has dropped it. A further declaration on the way to the same endpoint changes
        nothing. Raises ScopeError in an app that has no such middleware; in observe mode nothing is
        declared there.
        """
        scope = connection.scope
        root = scope.get(ROOTS, {}).get(self.guard)
        if root is None:
            error = ScopeError(
                "the app has no scope for its requests: put the adapter into it with "
                "`purposes.install(app)`"
            )
            if not self._told and not goes_on(self.guard, error):
                raise error
            self._told = True
            with self.guard.open_root():
                yield
            return
        nearest = _nearest(self.guard, scope.get("route"))
        purpose = self.purpose if nearest is None else nearest
        claim, missing = claim_in(scope, self.guard, self._trusted)
        span = scope.get(SERVER_SPAN)
        changed = go_on(root, purpose, claim, missing=missing, span=span)
        if root.current() and not changed:
            yield
            return
        with root:
            yield


def _nearest(guard: Guard, route: Any) -> str | None:
    """Return what a route is for: of its own dependencies, the last one says it."""
    direct = getattr(_dependant(route), "dependencies", ())
    calls = [inner.call for inner in direct if _declares(guard, inner)]
    return calls[-1].purpose if calls else None


def _dependant(route: Any) -> Any:
    """Return what a route of FastAPI depends on; Starlette's has nothing of the kind."""
    return getattr(route, "dependant", None)


def _declares(guard: Guard, dependant: Any) -> bool:
    return isinstance(dependant.call, Declaration) and dependant.call.guard is guard


def _dependants(outer: Any) -> Iterator[tuple[Any, Any]]:
    """Yield all that an endpoint depends on, and what depends on it."""
    for inner in getattr(outer, "dependencies", ()):
        yield inner, outer
        yield from _dependants(inner)


class _InApp:
    """The adapter in one app."""

    def __init__(self, purposes: FastAPIPurposes, app: FastAPI) -> None:
        self.guard = purposes.guard
        self._app = app

    def declared(self) -> list[Declared]:
        """Return the app's routes and those of mounted apps, in the order of registration."""
        return list(map(self._declared, ways_into(self._app, self.guard)))

    def _declared(self, way: Way) -> Declared:
        nearest = _nearest(self.guard, way.route)
        outer = (way.around, "middleware") if nearest is None else (nearest, "dependency")
        purpose, by = declared_for(self.guard, [way.endpoint], *outer)
        return Declared(way.name, qualified(way.endpoint), purpose, by, own=way.own)

    def mark(self, document: dict[str, Any]) -> dict[str, Any]:
        """Say in an OpenAPI document what each operation is for."""
        paths = document.get("paths", {})
        for way in ways_into(self._app, self.guard):
            purpose = None if way.mounted else self._declared(way).purpose
            operations = paths.get(getattr(way.route, "path_format", None), {})
            for method in getattr(way.route, "methods", None) or () if purpose else ():
                if method.lower() in operations:
                    operations[method.lower()]["x-purpose"] = purpose
        return document

    def check(self) -> None:
        """Raise ScopeError where a function passes a guard by, or a purpose is misplaced."""
        ways = list(ways_into(self._app, self.guard))
        refuse_raw(self.guard, "endpoint", [(way.name, way.endpoint) for way in ways])
        inner = (each for way in ways for each, _ in _dependants(_dependant(way.route)))
        beside = {
            "dependency": (each.call for each in inner),
            "exception handler": self._app.exception_handlers.values(),
            "middleware": (each.kwargs.get("dispatch") for each in self._app.user_middleware),
        }
        for kind, calls in beside.items():
            # Other objects may hold anything, the whole app as well.
            functions = dict.fromkeys(filter(inspect.isroutine, calls))
            refuse_raw(self.guard, kind, [(qualified(each), each) for each in functions])
        misplaced = [fault for way in ways for fault in self._misplaced(way)]
        if misplaced:
            raise ScopeError("; ".join(dict.fromkeys(misplaced)))

    def _misplaced(self, way: Way) -> Iterator[str]:
        route = _dependant(way.route)
        for inner, outer in _dependants(route):
            if isinstance(inner.call, FastAPIPurposes):
                yield (
                    f"the endpoint `{way.name}` depends on the adapter itself, and whoever calls "
                    "it would name the purpose: write `Depends(purposes(…))`, with the purpose"
                )
            if outer is not route and _declares(self.guard, inner):
                yield (
                    f"the endpoint `{way.name}` has a purpose declared inside its dependency "
                    f"`{qualified(outer.call)}`: declare it in the route, and open "
                    "`guard.purpose(…)` in the dependency, which has to be `async`"
                )


def adapters(app: FastAPI) -> list[_InApp]:
    """Return the adapters that were put into an app."""
    return list(getattr(app.state, EXTENSION, []))


async def _denied(connection: HTTPConnection, error: AccessDeniedError) -> Response:
    if isinstance(connection, WebSocket):
        raise error  # the middleware knows whether it can be closed still
    document = problem(error)
    return JSONResponse(document, document["status"], media_type=MEDIA_TYPE)
