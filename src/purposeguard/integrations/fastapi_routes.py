"""The ways into a FastAPI app: its routes, and those of the apps that are mounted in it."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from fastapi import applications, routing
from starlette.applications import Starlette
from starlette.routing import BaseRoute, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

from purposeguard.guard import Guard
from purposeguard.integrations.asgi import ASGIPurpose

_GIVEN = inspect.signature(ASGIPurpose)


class Way(NamedTuple):
    """One way into an app."""

    name: str
    """`GET /jobs/{id}`"""
    route: Any
    endpoint: Any
    """What is called, or what is mounted where no routes of it are known."""
    around: str | None
    """The purpose that middleware begins around it."""
    own: bool
    """Whether it is the framework's own."""
    mounted: bool
    """Whether it belongs to another app."""


def ways_into(app: Starlette, guard: Guard) -> Iterator[Way]:
    """Yield each way into an app, in the order of registration."""
    yield from _ways(app, guard, "", None, (app,))


def _ways(
    app: Any, guard: Guard, prefix: str, around: str | None, inside: tuple[Any, ...]
) -> Iterator[Way]:
    for middleware in getattr(app, "user_middleware", ()):
        if middleware.cls is ASGIPurpose:
            given = _GIVEN.bind_partial(app, *middleware.args, **middleware.kwargs).arguments
            around = given.get("purpose") if given.get("guard") is guard else around
    for route in _routes(app):
        path = prefix + (getattr(route, "path", None) or getattr(route, "host", None) or "")
        inner, purpose = _unwrapped(getattr(route, "app", None), guard, around)
        endpoint = getattr(route, "endpoint", None)
        mounted = len(inside) > 1
        if endpoint is not None:
            own = getattr(endpoint, "__module__", None) == applications.__name__
            yield Way(f"{_methods(route)} {path}", route, endpoint, purpose, own, mounted)
        elif not isinstance(inner, Starlette | Router):
            own = type(getattr(route, "app", None)) is StaticFiles
            yield Way(f"MOUNT {path}", route, inner or route, purpose, own, mounted)
        elif inner not in inside:
            yield from _ways(inner, guard, path, purpose, (*inside, inner))


def _unwrapped(app: Any, guard: Guard, around: str | None) -> tuple[Any, str | None]:
    """Return the app inside middleware, and the purpose that is begun around it."""
    while not isinstance(app, Starlette | Router):
        if isinstance(app, ASGIPurpose) and app.guard is guard:
            around = app.purpose
        inner = getattr(app, "app", None)
        if inner is None:
            break
        app = inner
    return app, around


def _routes(app: Any) -> Sequence[Any]:
    """Return an app's routes: a tree since FastAPI 0.137, a list before."""
    routes: Sequence[BaseRoute] = app.routes
    walk = getattr(routing, "iter_route_contexts", None)
    return routes if walk is None else list(walk(routes))


def _methods(route: Any) -> str:
    if isinstance(getattr(route, "original_route", route), WebSocketRoute):
        return "WEBSOCKET"
    methods = set(getattr(route, "methods", None) or ())
    # Starlette adds the one to the other.
    return ",".join(sorted(methods - {"HEAD"} if "GET" in methods else methods)) or "ANY"
