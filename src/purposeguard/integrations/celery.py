"""Celery: a root scope around each task's call, with the purposes that its message hands over."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

try:
    from celery import Celery, Task, bootsteps, signals  # type: ignore[import-untyped]
except ImportError:
    raise ImportError(
        "the adapter for Celery needs it, which the extra `celery` brings: "
        "pip install 'purposeguard[celery]'"
    ) from None

from celery.app.annotations import prepare  # type: ignore[import-untyped]
from celery.utils.objects import mro_lookup  # type: ignore[import-untyped]
from celery.utils.time import maybe_iso8601, maybe_make_aware  # type: ignore[import-untyped]

from purposeguard.blocks import PurposeScope
from purposeguard.exceptions import ScopeError, UnknownNameError
from purposeguard.guard import Guard
from purposeguard.integrations.celery_logs import hide_tokens
from purposeguard.integrations.celery_runs import Run, Runs, taken_from, without_token
from purposeguard.integrations.coverage import Declared, guarded_for, qualified, refuse_raw
from purposeguard.integrations.given import require_guard
from purposeguard.integrations.tokens import HEADER, TokenIssuer, TrustedIssuers

DAY = 86_400
"""Seconds for which a task may wait in its queue, unless told otherwise."""

_OURS = "celery"
"""The name of the service where one secret serves publishers and workers."""

_FOREVER = 10 * 366 * DAY
"""Seconds: where one secret serves, a token lives as long as its publisher says."""

_ADAPTER = "__purposeguard__"
"""The attribute of an app that holds its adapter, and of a task's call that the adapter made."""

_SENDING = inspect.signature(Celery.send_task)


class CeleryPurposes:
    """Hands purposes over to tasks, in the headers of their messages, as signed tokens.

    The purposes in force where a task is published are in force in its call. The next task of a
    chain, the body of a chord, a callback, an error callback and a retry have what the task was
    handed that they follow up. A task without a genuine token begins with none, and so does one
    whose token has expired. An eager task has its caller's.

    `key`, a secret of at least 32 bytes, signs and verifies. Where services don't share one,
    `issuer` signs, and `trusted` tells whose tokens a worker believes; `audience` is the service
    whose workers are addressed, where that is not this one. A process without an issuer hands
    nothing over, and one without `trusted` believes nobody. Workers publish too, the next task of a
    chain and each retry: they need both.

    A token lives for `seconds` after its task is due: a day, or the `max_seconds` of `trusted`
    where that is less. A task that waits for longer begins without a purpose.

    Raises UnknownNameError where there is no key, and for a guard or a time that is none.
    """

    def __init__(
        self,
        guard: Guard,
        *,
        key: bytes | None = None,
        issuer: TokenIssuer | None = None,
        trusted: TrustedIssuers | None = None,
        audience: str | None = None,
        seconds: int | None = None,
    ) -> None:
        require_guard(guard)
        if key is not None:
            if issuer is not None or trusted is not None or audience is not None:
                raise UnknownNameError(
                    "`key` signs and verifies by itself: leave out `issuer`, `trusted` and "
                    "`audience`, or leave out `key`",
                    "key",
                )
            issuer = TokenIssuer(_OURS, key)
            trusted = TrustedIssuers(_OURS, {_OURS: key}, max_seconds=_FOREVER)
        if trusted is not None:
            name, longest = trusted.audience, trusted.max_seconds
        elif issuer is not None:
            name, longest = issuer.name, _FOREVER
        else:
            raise UnknownNameError(
                "no key hands purposes over to tasks: give a `key`, or `issuer` and `trusted`",
                "key",
            )
        seconds = min(DAY, longest) if seconds is None else seconds
        if type(seconds) is not int or not 0 < seconds <= longest:
            raise UnknownNameError(
                "`seconds` is no time for which tokens are believed: give a whole number from 1 to "
                f"{longest}, or `trusted` a longer `max_seconds`",
                "seconds",
            )
        self.guard = guard
        self._issuer = issuer
        self._trusted = trusted
        self._audience = name if audience is None else audience
        self._seconds = seconds
        self._longest = longest

    def __call__(self, purpose: str) -> PurposeScope:
        """Declare what a task is for: a decorator below `@app.task`, and the guard's own `purpose`.

        It intersects with what the task is handed. A task that nobody calls, such as one that beat
        schedules, has this alone.
        """
        return self.guard.purpose(purpose)

    def install(self, app: Celery) -> None:
        """Put the adapter into an app: for the tasks that it has, and those that it will have.

        Raises ScopeError for what is no app, where the app has one, or where a task passes a guard
        by. A worker looks once more, when all tasks are known, and doesn't start with one that
        does.
        """
        if not isinstance(app, Celery):
            raise ScopeError(
                f"an object of type `{type(app).__name__}` is no app: "
                "give what `Celery(…)` returned"
            )
        if hasattr(app, _ADAPTER):
            raise ScopeError("the app has its purposes installed already: install them once")
        setattr(app, _ADAPTER, _InApp(self, app))

    @property
    def believes(self) -> bool:
        """Whether a task may be handed purposes, by whoever publishes it."""
        return self._trusted is not None

    def _read(self, token: object) -> tuple[tuple[str, ...], str | None]:
        """Return the purposes that a message hands over, and who says so."""
        claim = None if self._trusted is None else self._trusted.read(token)
        return ((), None) if claim is None else (claim.purposes, claim.issuer)

    def _token(self, delay: float) -> str | None:
        """Return a token of the purposes in force here, for a task that is due after a delay."""
        if self._issuer is None:
            return None
        seconds = int(min(self._seconds + delay, self._longest))
        return self._issuer.token_for(self.guard, self._audience, seconds=seconds)


class _InApp:
    """The adapter in one app.

    Celery's signals don't tell which app publishes, and keep no order among receivers: one that
    attaches a context of its own, as OpenTelemetry's does, may come after any other. So the app's
    `send_task`, which every task passes through, adds the token, and the scope stands in the class
    of each task, around its call alone.
    """

    def __init__(self, purposes: CeleryPurposes, app: Celery) -> None:
        self._purposes = purposes
        self.guard = purposes.guard
        self._app = app
        self._runs = Runs(app)
        if app.finalized:
            self.check()
        self._cover_all()
        app.annotations = _Annotations(app, self)
        app.on_after_finalize.connect(self._cover_all, weak=False)
        app.steps["worker"].add(_checked_by(self))
        signals.worker_process_shutdown.connect(self._close_ledger, weak=False)
        hide_tokens()
        self._send = app.send_task
        app.send_task = self._send_task

    def declared(self) -> list[Declared]:
        """Return the app's tasks, by name."""
        return [self._declared(name, task) for name, task in sorted(self._app.tasks.items())]

    def _declared(self, name: str, task: Task) -> Declared:
        purpose = guarded_for(self.guard, task.run)
        by = "task" if purpose else "caller" if self._purposes.believes else None
        return Declared(name, qualified(task.run), purpose, by, own=name.startswith("celery."))

    def check(self) -> None:
        """Raise ScopeError where a task passes a guard by."""
        tasks = self._app.tasks.items()
        refuse_raw(self.guard, "task", [(name, task.run) for name, task in tasks])

    def _close_ledger(self, **_: object) -> None:
        """Close the ledger of a pool's process, which leaves without the interpreter's end."""
        ledger = self.guard._hub.state.ledger
        if ledger is not None:
            ledger.close()

    # Around the call.

    def _cover_all(self, **_: object) -> None:
        for task in list(self._app._tasks.values()):  # `tasks` would finalize the app
            self.annotate(type(task))

    def annotate(self, task: type[Task]) -> None:
        """Put the scope around the calls of a task's class: Celery does it to each new class."""
        if getattr(task.__call__, _ADAPTER, None) is not self:
            # Celery's own rule: a plain `__call__`, which copies the request, is passed by.
            stop = {Task, object}
            custom = mro_lookup(task, "__call__", stop, monkey_patched=[Task.__module__])
            task.__call__ = self._around(task.__call__, custom=custom is not None)

    def _around(self, call: Callable[..., Any], *, custom: bool) -> Callable[..., Any]:
        def __call__(task: Task, /, *args: Any, **kwargs: Any) -> Any:  # noqa: N807 - Celery's name
            run = self._begun(task)
            root = None if run is None else run.begin(self.guard)
            if run is None or root is None:
                return call(task, *args, **kwargs)
            traced = not custom and not run.over
            try:
                with root:
                    return task.run(*args, **kwargs) if traced else call(task, *args, **kwargs)
            finally:
                run.over = True
                root.end()

        setattr(__call__, _ADAPTER, self)
        return __call__

    def _begun(self, task: Task) -> Run | None:
        """Return the run that a call begins, or the one that it follows up.

        None where a task is called as a function: it keeps its caller's purposes.
        """
        request = task.request_stack.top
        if request is None or request.called_directly or self._runs.of(task) is not None:
            return self._followed_up()
        if request.is_eager:
            return self._runs.add(request, Run(request, self.guard.purposes_in_force()))
        return self._runs.add(request, Run(request, *self._purposes._read(taken_from(request))))

    def _followed_up(self) -> Run | None:
        """Return the run whose call is over, and for which Celery does what comes next."""
        run = self._runs.here()
        follows = run is not None and run.over and not self.guard.purposes_in_force()
        return run if follows else None

    # Publishing.

    def _send_task(self, *args: Any, **options: Any) -> Any:
        """Stand in for `Celery.send_task`: add the token to the message's headers."""
        sending = _SENDING.bind_partial(self._app, *args, **options).arguments
        token = self._token_for(sending)
        headers = options.get("headers")
        if token is not None:
            options["headers"] = {**(headers or {}), HEADER: token}
        elif headers and HEADER in headers:
            options["headers"] = without_token(headers)
        return self._send(*args, **options)

    def _token_for(self, sending: Mapping[str, Any]) -> str | None:
        delay = self._delay(sending.get("countdown"), sending.get("eta"))
        run = self._followed_up() or self._retried_by(sending)
        root = None if run is None else run.begin(self.guard)
        if root is None:
            return self._purposes._token(delay)
        try:
            with root:
                return self._purposes._token(delay)
        finally:
            root.end()

    def _retried_by(self, sending: Mapping[str, Any]) -> Run | None:
        """Return the run that a message repeats: it was handed what the next one shall be."""
        run = self._runs.here()
        return run if run is not None and run.is_retried_by(sending) else None

    def _delay(self, countdown: Any, eta: Any) -> float:
        """Return the seconds until a task is due. What can't be a time is Celery's to refuse."""
        try:
            if countdown:
                return max(0.0, float(countdown))
            due = maybe_iso8601(eta)
            if not isinstance(due, datetime):
                return 0.0
            aware = maybe_make_aware(due, self._app.timezone)
            return max(0.0, float((aware - self._app.now()).total_seconds()))
        except (TypeError, ValueError, OverflowError):
            return 0.0


class _Annotations:
    """What Celery applies to each new class of a task: the adapter, then the app's own setting."""

    def __init__(self, app: Celery, adapter: _InApp) -> None:
        self._app = app
        self._adapter = adapter

    def __iter__(self) -> Iterator[Any]:
        yield self._adapter
        yield from prepare(self._app.conf.task_annotations)


def _checked_by(adapter: _InApp) -> type:
    """Return a step of a worker's start: an exception in a signal would not stop it."""

    def check(_step: object, _worker: object, **_: object) -> None:
        adapter._cover_all()
        adapter.check()

    return type("Purposes", (bootsteps.Step,), {"__init__": check, "__module__": __name__})


def adapters(app: Celery) -> list[_InApp]:
    """Return the adapters that were put into an app."""
    return [getattr(app, _ADAPTER)] if hasattr(app, _ADAPTER) else []
