"""Flask: a root scope around each view, and around each step of a streamed body."""

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from flask import Blueprint, Flask, Response, jsonify, request
from opentelemetry.trace import Span, get_current_span, use_span
from werkzeug.wsgi import FileWrapper

from purposeguard.exceptions import AccessDeniedError, ScopeError
from purposeguard.guard import Guard
from purposeguard.integrations.coverage import Declared, guarded_for, qualified, refuse_raw
from purposeguard.integrations.inbound import HEADER, Trusted, begin
from purposeguard.integrations.problems import MEDIA_TYPE, problem
from purposeguard.policy_file import BUNDLED, bundled_policy, load_policy
from purposeguard.roots import RootScope

T = TypeVar("T")

EXTENSION = "purposeguard"
"""The key of `app.extensions` under which an app's adapters are listed."""

_DECLARES = "__purposeguard_view__"
"""The attribute of a view that holds its purpose for each guard."""


class FlaskPurposes:
    """Declares what an app's views are for.

    `purposes("support.inquiry_response")` decorates a view, above or below its route, or a
    class-based view; `purposes.default(blueprint, "support")` is for the views of a blueprint that
    name none. The nearest declaration wins. A view without one begins an empty chain.

    A guard that has no policy gets the one that the app's configuration names:
    `PURPOSEGUARD_POLICY` is a file, or the name of a bundled policy, and `PURPOSEGUARD_MODE` the
    mode; both default to the environment's variables of the same name. `trusted` tells whose tokens
    may narrow a request's purpose further.

    An access that is denied in a view is answered with 403, unless the app has an error handler of
    its own. At the first request, views that pass a guard by are refused (ScopeError).
    """

    def __init__(
        self, guard: Guard, app: Flask | None = None, *, trusted: Trusted | None = None
    ) -> None:
        self.guard = guard
        self._trusted = trusted
        self._defaults: WeakKeyDictionary[Blueprint, str] = WeakKeyDictionary()
        if app is not None:
            self.init_app(app)

    def __call__(self, purpose: str) -> Callable[[T], T]:
        """Return a decorator that says what a view is for, whichever routes it has.

        Raises UnknownNameError for a purpose that the policy lacks. Decorating raises ScopeError
        for a view that is for another purpose already.
        """
        self.guard.require_purpose(purpose, depth=2)

        def declare(view: T) -> T:
            # The view itself is marked: above its route, the app has it already.
            known = vars(view).get(_DECLARES, {}).get(self.guard, purpose)
            if known != purpose:
                raise ScopeError(
                    f"the view `{qualified(view)}` is for `{known}` already: "
                    f"write another function for `{purpose}`"
                )
            setattr(view, _DECLARES, {**getattr(view, _DECLARES, {}), self.guard: purpose})
            return view

        return declare

    def default(self, blueprint: Blueprint, purpose: str) -> None:
        """Say what the views of a blueprint are for, and of those nested in it.

        Raises UnknownNameError for a purpose that the policy lacks.
        """
        self.guard.require_purpose(purpose, depth=2)
        self._defaults[blueprint] = purpose

    def init_app(self, app: Flask) -> None:
        """Put the adapter into an app. Raises what `Guard.load` raises."""
        for key in ("PURPOSEGUARD_POLICY", "PURPOSEGUARD_MODE"):
            app.config.setdefault(key, os.environ.get(key))
        policy = app.config["PURPOSEGUARD_POLICY"]
        if self.guard.policy is None and policy is not None:
            load = bundled_policy if policy in BUNDLED else load_policy
            self.guard.load(load(policy), mode=app.config["PURPOSEGUARD_MODE"])
        app.extensions.setdefault(EXTENSION, []).append(_InApp(self, app))
        if AccessDeniedError not in app.error_handler_spec[None][None]:
            app.register_error_handler(AccessDeniedError, _denied)

    def _of(self, app: Flask, endpoint: str) -> tuple[str | None, str | None]:
        """Return what an endpoint is for, and what says so, the nearest first."""
        view = app.view_functions[endpoint]
        for said in (view, getattr(view, "view_class", None)):
            purpose = getattr(said, _DECLARES, {}).get(self.guard)
            if purpose is not None:
                return purpose, "view"
        name = endpoint.rpartition(".")[0]
        while name:
            blueprint = app.blueprints.get(name)
            if isinstance(blueprint, Blueprint) and blueprint in self._defaults:
                return self._defaults[blueprint], f"blueprint `{name}`"
            name = name.rpartition(".")[0]
        return None, None


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
        if not self._checked:
            self.check()
            self._checked = True
        ours = self._purposes
        rule = request.url_rule
        purpose = None if rule is None else ours._of(self._app, rule.endpoint)[0]
        trusted = ours._trusted
        token = request.headers.get(HEADER) if trusted is not None else None
        root = begin(self.guard, purpose, token=token, trusted=trusted)
        try:
            with root:
                response = self._app.make_response(self._dispatch(*context))
        except BaseException:
            root.end()
            raise
        if _is_streamed(response):
            response.response = _Body(response.response, root)
        else:
            root.end()
        return response

    def declared(self) -> list[Declared]:
        """Return the app's routes, by their paths."""
        rules = sorted(self._app.url_map.iter_rules(), key=lambda rule: rule.rule)
        return list(map(self._declared, rules))

    def _declared(self, rule: Any) -> Declared:
        view = self._app.view_functions[rule.endpoint]
        purpose, by = self._purposes._of(self._app, rule.endpoint)
        own = guarded_for(view)
        if own is not None:
            purpose, by = own, "guard"
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        return Declared(
            f"{','.join(methods)} {rule.rule}",
            qualified(getattr(view, "view_class", view)),
            purpose,
            by,
            own=rule.endpoint.rpartition(".")[2] == "static",
        )

    def check(self) -> None:
        """Raise ScopeError where a view passes a guard by."""
        refuse_raw(self.guard, "view", self._app.view_functions.items())


def adapters(app: Flask) -> list[_InApp]:
    """Return the adapters that were put into an app."""
    return list(app.extensions.get(EXTENSION, []))


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
        self._close = getattr(steps, "close", None)
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
        """Close the body, as servers do however it ends."""
        try:
            if self._close is not None:
                with self._root, self._in_trace():
                    self._close()
        finally:
            self._root.end()

    def __del__(self) -> None:
        self._root.end()


def _denied(error: AccessDeniedError) -> Response:
    document = problem(error)
    response = jsonify(document)
    response.status_code = document["status"]
    response.mimetype = MEDIA_TYPE
    return response
