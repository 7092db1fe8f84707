"""Flask: a root scope around each view, and around each step of a streamed body."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from itertools import chain
from typing import Any, TypeVar

try:
    from flask import Blueprint, Flask, Response, jsonify, request
except ImportError:
    raise ImportError(
        "the adapter for Flask needs it, which the extra `flask` brings: "
        "pip install 'purposeguard[flask]'"
    ) from None

from flask.views import MethodView
from opentelemetry.trace import Span, get_current_span, use_span
from werkzeug.wsgi import FileWrapper

from purposeguard.exceptions import AccessDeniedError, ScopeError
from purposeguard.guard import Guard
from purposeguard.integrations.coverage import (
    Declared,
    declared_for,
    goes_on,
    qualified,
    refuse_raw,
)
from purposeguard.integrations.inbound import HEADER, Trusted, begin
from purposeguard.integrations.problems import MEDIA_TYPE, denial_in, problem
from purposeguard.policy_file import BUNDLED, bundled_policy, load_policy
from purposeguard.roots import RootScope

T = TypeVar("T")

EXTENSION = "purposeguard"
"""The key of `app.extensions` under which an app's adapters are listed."""

_DECLARES = "__purposeguard_view__"
"""The attribute of a view, blueprint or app that holds its purpose for each guard."""


class FlaskPurposes:
    """Declares what an app's views are for.

    `purposes("support.inquiry_response")` decorates a view, above or below its route, or a
    class-based view or a method of it; `purposes.default(blueprint, "support")` is for the views of
    a blueprint, or of an app, that name none. The nearest declaration wins. A view without one
    begins an empty chain.

    A guard that has no policy gets the one that the app's configuration names:
    `PURPOSEGUARD_POLICY` is a file, or the name of a bundled policy, and `PURPOSEGUARD_MODE` the
    mode; both default to the environment's variables of the same name. `trusted` tells whose tokens
    may narrow a request's purpose further.

    An access that is denied in a view is answered with 403, unless the app has an error handler of
    its own. At the first request, views and hooks that pass a guard by are refused (ScopeError);
    in observe mode an event tells of them, once.

    Raises ScopeError for what is no guard, and what `init_app` raises.
    """

    def __init__(
        self, guard: Guard, app: Flask | None = None, *, trusted: Trusted | None = None
    ) -> None:
        if not isinstance(guard, Guard):
            raise ScopeError(
                f"the guard is of type `{type(guard).__name__}`: write `FlaskPurposes(guard, app)`"
            )
        self.guard = guard
        self._trusted = trusted
        if app is not None:
            self.init_app(app)

    def __call__(self, purpose: str) -> Callable[[T], T]:
        """Return a decorator that says what a view is for, whichever routes it has.

        Raises UnknownNameError for a purpose that the policy lacks. Decorating raises ScopeError
        for a view that is for another purpose already, and for what can't be marked as a view.
        """
        if callable(purpose):
            raise ScopeError(
                '`@purposes` stands on a view without its purpose: write `@purposes("…")`'
            )
        self.guard.require_purpose(purpose, depth=2)

        def declare(view: T) -> T:
            if isinstance(view, Blueprint | Flask):
                raise ScopeError(
                    f"{_shown(view)} is no view: declare what its views are for with "
                    "`purposes.default(…)`"
                )
            self._declare(view, purpose)
            return view

        return declare

    def default(self, blueprint: Blueprint | Flask, purpose: str) -> None:
        """Say what the views of a blueprint are for, and of those nested in it, or of an app.

        Raises UnknownNameError for a purpose that the policy lacks, and ScopeError for what is no
        blueprint or app, or is for another purpose already.
        """
        if not isinstance(blueprint, Blueprint | Flask):
            raise ScopeError(
                f"what has a default is of type `{type(blueprint).__name__}`: "
                "give a blueprint or an app"
            )
        self.guard.require_purpose(purpose, depth=2)
        self._declare(blueprint, purpose)

    def _declare(self, what: Any, purpose: str) -> None:
        """Mark a view, blueprint or app itself: above its route, the app has a view already."""
        known = getattr(what, "__dict__", {}).get(_DECLARES, {}).get(self.guard, purpose)
        if known != purpose:
            raise ScopeError(
                f"{_shown(what)} is for `{known}` already: write another one for `{purpose}`"
            )
        try:
            setattr(what, _DECLARES, {**getattr(what, _DECLARES, {}), self.guard: purpose})
        except (AttributeError, TypeError):
            raise ScopeError(
                f"{_shown(what)} can't be marked as a view: "
                "decorate a function or class, or a method in its class"
            ) from None

    def init_app(self, app: Flask) -> None:
        """Put the adapter into an app.

        Raises ScopeError where the app has one of the same guard, and what `Guard.load` raises.
        """
        if any(adapter.guard is self.guard for adapter in adapters(app)):
            raise ScopeError("the app has its purposes installed already: install them once")
        for key in ("PURPOSEGUARD_POLICY", "PURPOSEGUARD_MODE"):
            app.config.setdefault(key, os.environ.get(key))
        policy = app.config["PURPOSEGUARD_POLICY"]
        if self.guard.policy is None and policy is not None:
            load = bundled_policy if policy in BUNDLED else load_policy
            self.guard.load(load(policy), mode=app.config["PURPOSEGUARD_MODE"])
        app.extensions.setdefault(EXTENSION, []).append(_InApp(self, app))
        if AccessDeniedError not in app.error_handler_spec[None][None]:
            app.register_error_handler(AccessDeniedError, _denied)

    def _of(self, app: Flask, endpoint: str, method: str) -> tuple[str | None, str | None]:
        """Return what an endpoint is for, and what says so, the nearest first."""
        for each in _parts(app.view_functions.get(endpoint), method):
            purpose = self._declared_by(each)
            if purpose is not None:
                return purpose, "view"
        name = endpoint.rpartition(".")[0]
        while name:
            purpose = self._declared_by(app.blueprints.get(name))
            if purpose is not None:
                return purpose, f"blueprint `{name}`"
            name = name.rpartition(".")[0]
        purpose = self._declared_by(app)
        return purpose, None if purpose is None else "app"

    def _declared_by(self, what: Any) -> str | None:
        purpose: str | None = getattr(what, _DECLARES, {}).get(self.guard)
        return purpose


class _InApp:
    """The adapter in one app."""

    def __init__(self, purposes: FlaskPurposes, app: Flask) -> None:
        self.guard = purposes.guard
        self._purposes = purposes
        self._app = app
        self._dispatch = app.dispatch_request
        self._checked = False
        app.dispatch_request = self._view  # type: ignore[method-assign]

    def _view(self, *context: Any) -> Response:
        """Stand in for `Flask.dispatch_request`: begin the root scope as late as can be."""
        self._start()
        ours = self._purposes
        rule = request.url_rule
        purpose = None
        if rule is not None:
            purpose = ours._of(self._app, rule.endpoint, request.method)[0]
        trusted = ours._trusted
        token = request.headers.get(HEADER) if trusted is not None else None
        root = begin(self.guard, purpose, token=token, trusted=trusted)
        try:
            with root:
                response = self._app.make_response(self._dispatch(*context))
        except BaseException as error:
            root.end()
            denial = denial_in(error)
            if denial is not None and denial is not error:
                raise denial from error
            raise
        if _is_streamed(response):
            response.response = _Body(response.response, root)
        else:
            root.end()
        return response

    def _start(self) -> None:
        """Look once for what passes the guard by: by the first view, all is registered."""
        if self._checked:
            return
        try:
            self.check()
        except ScopeError as error:
            if not goes_on(self.guard, error):
                raise
        self._checked = True

    def declared(self) -> list[Declared]:
        """Return the app's routes, by their paths."""
        rules = sorted(self._app.url_map.iter_rules(), key=lambda rule: rule.rule)
        return [each for rule in rules if not rule.build_only for each in self._declared(rule)]

    def _declared(self, rule: Any) -> list[Declared]:
        """Return a rule's methods, those together that declare the same."""
        view = self._app.view_functions.get(rule.endpoint)
        if view is None:
            return [Declared(f"{','.join(_methods(rule))} {rule.rule}", "", None)]
        function = qualified(getattr(view, "view_class", view))
        own = rule.endpoint.rpartition(".")[2] == "static" and function.startswith("flask.")
        said: dict[tuple[str | None, str | None], list[str]] = {}
        for method in _methods(rule, getattr(view, "view_class", None)):
            said.setdefault(self._said(rule.endpoint, method), []).append(method)
        return [
            Declared(f"{','.join(methods)} {rule.rule}", function, purpose, by, own=own)
            for (purpose, by), methods in said.items()
        ]

    def _said(self, endpoint: str, method: str) -> tuple[str | None, str | None]:
        """Return what a method of an endpoint is for, and what says so."""
        parts = _parts(self._app.view_functions.get(endpoint), method)
        return declared_for(
            self.guard, reversed(parts), *self._purposes._of(self._app, endpoint, method)
        )

    def check(self) -> None:
        """Raise ScopeError where a view or a hook passes a guard by."""
        refuse_raw(self.guard, "view", self._app.view_functions.items())
        refuse_raw(self.guard, "hook", ((qualified(hook), hook) for hook in _hooks(self._app)))


def adapters(app: Flask) -> list[_InApp]:
    """Return the adapters that were put into an app."""
    return list(app.extensions.get(EXTENSION, []))


def _hooks(app: Flask) -> Iterator[Any]:
    """Yield what an app and its blueprints call around views."""
    for registered in (
        app.before_request_funcs,
        app.after_request_funcs,
        app.teardown_request_funcs,
        app.url_value_preprocessors,
        app.url_default_functions,
        app.template_context_processors,
    ):
        yield from chain.from_iterable(registered.values())
    yield from app.teardown_appcontext_funcs
    for by_code in app.error_handler_spec.values():
        for handlers in by_code.values():
            yield from handlers.values()


def _parts(view: Any, method: str) -> tuple[Any, Any, Any]:
    """Return what a view is made of, the nearest first: what its class calls, itself, its class."""
    kind = getattr(view, "view_class", None)
    if isinstance(kind, type) and issubclass(kind, MethodView):
        called = getattr(kind, method.lower(), None)
        if called is None and method == "HEAD":
            called = getattr(kind, "get", None)
        return called, view, kind
    return getattr(kind, "dispatch_request", None), view, kind


def _methods(rule: Any, kind: Any = None) -> list[str]:
    """Return the methods that a rule's view, of a class if any, answers: none that Flask adds."""
    methods = set(rule.methods or {"ANY"})
    if "GET" in methods and not hasattr(kind, "head"):
        methods.discard("HEAD")
    if getattr(rule, "provide_automatic_options", False):
        methods.discard("OPTIONS")
    return sorted(methods)


def _shown(what: Any) -> str:
    """Return how messages call a view, blueprint or app."""
    if isinstance(what, Blueprint | Flask):
        return f"the {'app' if isinstance(what, Flask) else 'blueprint'} `{what.name}`"
    return f"`{qualified(what)}`"


def _is_streamed(response: Response) -> bool:
    """Whether the app makes the body while it is sent; a file is the server's to send."""
    wrapper = request.environ.get("wsgi.file_wrapper")
    files = (FileWrapper, wrapper) if isinstance(wrapper, type) else FileWrapper
    return not response.is_sequence and not isinstance(response.response, files)


class _Body:
    """Makes each step of a streamed body in the request's scope, and ends that with the body."""

    def __init__(self, steps: Iterable[Any], root: RootScope) -> None:
        self._root = root
        self._span = get_current_span()
        self._body = steps
        with root:
            self._steps = iter(steps)

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        with self._root, self._in_trace():
            return next(self._steps)

    def _in_trace(self) -> AbstractContextManager[Span]:
        """Go on in the request's trace: its server span is not current any more."""
        return use_span(self._span, record_exception=False, set_status_on_exception=False)

    def close(self) -> None:
        """Close the body, as servers do however it ends, and the iterator that it has made."""
        try:
            with self._root, self._in_trace():
                try:
                    if self._steps is not self._body:
                        _close(self._steps)
                finally:
                    _close(self._body)
        finally:
            self._root.end()

    def __del__(self) -> None:
        self._root.end()


def _close(body: Any) -> None:
    close = getattr(body, "close", None)
    if close is not None:
        close()


def _denied(error: AccessDeniedError) -> Response:
    document = problem(error)
    response = jsonify(document)
    response.status_code = document["status"]
    response.mimetype = MEDIA_TYPE
    return response
