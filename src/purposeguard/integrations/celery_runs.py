"""Executions of Celery tasks: what a message has handed over, and whether its call is over."""

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from celery import Celery, Task  # type: ignore[import-untyped]
from celery.app.task import Context  # type: ignore[import-untyped]

from purposeguard.guard import Guard
from purposeguard.integrations.tokens import HEADER
from purposeguard.roots import RootScope


class Run:
    """One execution of a task.

    `purposes` are what it was handed, `issuer` says by whom. They are None where an eager task was
    called from a dead chain. An eager task is about the people that its caller is about.
    """

    __slots__ = ("eager", "id", "issuer", "over", "purposes", "retries")

    def __init__(
        self, request: Context, purposes: tuple[str, ...] | None, issuer: str | None = None
    ) -> None:
        self.id = request.id
        self.retries = request.retries
        self.eager = request.is_eager
        self.purposes = purposes
        self.issuer = issuer
        self.over = False
        """Whether the task's call is over: what Celery does for it now is to follow it up."""

    def begin(self, guard: Guard) -> RootScope | None:
        """Open a scope of what was handed over."""
        if self.purposes is None:
            return None
        return guard.open_root(*self.purposes, issuer=self.issuer, inherits=self.eager)

    def is_retried_by(self, sending: Mapping[str, Any]) -> bool:
        """Whether a message is the same task once more."""
        return (sending.get("task_id"), sending.get("retries")) == (self.id, self.retries + 1)


class Runs:
    """The runs of an app's tasks, by the request that Celery made for each."""

    def __init__(self, app: Celery) -> None:
        self._app = app
        self._runs: WeakKeyDictionary[Context, Run] = WeakKeyDictionary()

    def add(self, request: Context, run: Run) -> Run:
        """Keep the run of a request, for as long as Celery keeps the request."""
        self._runs[request] = run
        return run

    def of(self, task: Task) -> Run | None:
        """Return the run of a task's request. A request that Celery has copied has the same run."""
        requests = task.request_stack.stack
        found = next(filter(None, map(self._runs.get, reversed(requests))), None)
        return found if found is not None and found.id == requests[-1].id else None

    def here(self) -> Run | None:
        """Return the run of the task that is executed here."""
        task = self._app.current_worker_task
        return None if task is None else self.of(task)


def taken_from(request: Context) -> object:
    """Take the token out of a request, wherever Celery keeps it: requests are shown in logs."""
    held = vars(request)
    token = held.pop(HEADER, None)
    headers, properties = held.get("headers"), held.get("properties")
    if isinstance(headers, Mapping) and HEADER in headers:
        token = headers[HEADER] if token is None else token
        held["headers"] = without_token(headers) or None
    if isinstance(properties, Mapping) and "application_headers" in properties:
        headers = without_token(properties["application_headers"])
        held["properties"] = {**properties, "application_headers": headers}
    return token


def without_token(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message's headers without the token."""
    return {name: headers[name] for name in headers if name != HEADER}
