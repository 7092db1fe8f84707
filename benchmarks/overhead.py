"""Requests per second of the example apps, with and without purposeguard in them.

An app is called in this process, with no network between: what remains is the framework, the app
and its database. All is traced by the OpenTelemetry SDK, with a processor that does nothing.
"""

import asyncio
import contextvars
import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from time import process_time_ns
from typing import Any, NamedTuple
from unittest.mock import patch

from fastapi import APIRouter
from opentelemetry.trace import set_tracer_provider

from benchmarks.measuring import Case, Figure, Size, interleaved
from benchmarks.setting import provider

EXAMPLES = Path(__file__).parents[1] / "examples"
MIXES = {
    "one access a request": (
        ("GET", "/jobs/1/shortlist"),
        ("GET", "/candidates/experience"),
        ("GET", "/inquiries/1"),
        ("GET", "/visitors"),
        ("GET", "/customers/1/payslips"),
    ),
    "columns selected by purpose": (("GET", "/events/1/participants"),),
    "people filtered by consent": (("POST", "/events/1/co-host"),),
    "a streamed file": (("GET", "/jobs/1/applicants.csv"),),
}
"""What is asked for: all of it is permitted."""

Mix = tuple[tuple[str, str], ...]
Ask = Callable[[Mix], None]
"""Makes the requests of a mix, each a method and a path."""


class Variant(NamedTuple):
    """An app as it is measured."""

    what: str
    guarded: bool
    ledger: bool = False


VARIANTS = (
    Variant("without purposeguard", guarded=False),
    Variant("guarded", guarded=True),
    Variant("guarded, with a ledger", guarded=True, ledger=True),
)


def requests(size: Size) -> Iterator[Figure]:
    """Measure each app in a process of its own, where it is imported anew for each variant."""
    start_anew = multiprocessing.get_context("spawn")
    for name in APPS:
        with ProcessPoolExecutor(1, mp_context=start_anew) as child:
            yield from child.submit(overhead, name, size).result()


def overhead(name: str, size: Size) -> list[Figure]:
    """Compare the variants of an app. The ratio is the share of requests per second that is left.

    All threads count: frameworks run some views in others.
    """
    set_tracer_provider(provider())
    with ExitStack() as opened:
        asking = [opened.enter_context(APPS[name](variant)) for variant in VARIANTS]
        return [
            figure
            for what, mix in MIXES.items()
            for figure in _compared(f"{name}, {what}", asking, mix, size)
        ]


def _compared(what: str, asking: list[Ask], mix: Mix, size: Size) -> Iterator[Figure]:
    cases = [
        Case(variant.what, partial(ask, mix), contextvars.Context(), len(mix))
        for variant, ask in zip(VARIANTS, asking, strict=True)
    ]
    timings = interleaved(cases, size, process_time_ns)
    for case, timing in zip(cases, timings, strict=True):
        told = what if case is cases[0] else f"the same, {case.what}"
        yield Figure(told, 1e6 / timing.microseconds, "/s", timings[0].over(timing))


@contextmanager
def flask_app(variant: Variant) -> Iterator[Ask]:
    """Run the Flask example, and yield what makes a request to it."""
    from werkzeug.test import EnvironBuilder

    environments = {
        (method, path): EnvironBuilder(path, method=method).get_environ()
        for mix in MIXES.values()
        for method, path in mix
    }

    def started(status: str, *_: Any) -> None:
        if status != "200 OK":
            raise AssertionError(status)

    def ask(mix: Mix) -> None:
        for method, path in mix:
            body = app.wsgi_app(environments[method, path].copy(), started)
            b"".join(body)
            body.close()

    with _folder() as folder, _imported("flask_app", "hr_service", variant) as service:
        ledger = folder / "ledger" if variant.ledger else None
        app = service.create_app(folder / "hr.sqlite", ledger=ledger)
        with closing(app.extensions["subjects"]):
            yield ask


@contextmanager
def fastapi_app(variant: Variant) -> Iterator[Ask]:
    """Run the FastAPI example, and yield what makes a request to it."""

    async def asked(mix: Mix) -> None:
        for method, path in mix:
            received = iter((NO_BODY,))
            await app(_scope(method, path), partial(_receive, received), _sent)

    def ask(mix: Mix) -> None:
        loop.run(asked(mix))

    with _folder() as folder, _imported("fastapi_app", "hr_api", variant) as service:
        ledger = folder / "ledger" if variant.ledger else None
        app = service.create_app(folder / "hr.sqlite", ledger=ledger)
        lifespan = app.router.lifespan_context(app)
        with asyncio.Runner() as loop:
            loop.run(lifespan.__aenter__())
            yield ask
            loop.run(lifespan.__aexit__(None, None, None))


def _scope(method: str, path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"hr.example")],
    }


async def _receive(messages: Iterator[dict[str, Any]]) -> dict[str, Any]:
    """Return the next message, and after the last one wait for a disconnect that never comes."""
    for message in messages:
        return message
    return await asyncio.get_running_loop().create_future()


NO_BODY = {"type": "http.request", "body": b"", "more_body": False}


async def _sent(message: Any) -> None:
    if message.get("status", 200) != 200:
        raise AssertionError(message["status"])


APPS: dict[str, Callable[[Variant], AbstractContextManager[Ask]]] = {
    "Flask": flask_app,
    "FastAPI": fastapi_app,
}


class Nothing:
    """A decorator and a block that do nothing."""

    def __call__(self, function: Any) -> Any:
        return function

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass

    async def __aenter__(self) -> None:
        pass

    async def __aexit__(self, *_: object) -> None:
        pass


NOTHING = Nothing()


class NoGuard:
    """Stands in for a guard and for its adapters."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, *_: object, **__: object) -> Nothing:
        return NOTHING

    access = purpose = load = default = init_app = install = __call__

    def granted_items(self, _: str) -> tuple[str, ...]:
        return ()

    def permitted_subjects(self, _: object, subjects: list[Any]) -> list[Any]:
        return subjects


class UndeclaringRouter(APIRouter):
    """A router without the dependencies of routes: in the example all of them declare purposes."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"dependencies": None})

    def add_api_route(self, *args: Any, **options: Any) -> None:
        super().add_api_route(*args, **options | {"dependencies": None})


class PlainExecutor(ThreadPoolExecutor):
    """An executor that carries nothing."""

    def __init__(self, _: object, max_workers: int) -> None:
        super().__init__(max_workers)


SWITCHED_OFF = {
    "purposeguard.Guard": NoGuard,
    "purposeguard.integrations.celery.CeleryPurposes": NoGuard,
    "purposeguard.integrations.executors.CarryingExecutor": PlainExecutor,
    "purposeguard.integrations.fastapi.FastAPIPurposes": NoGuard,
    "purposeguard.integrations.flask.FlaskPurposes": NoGuard,
    "purposeguard.integrations.sqlalchemy.SQLAlchemyPurposes": NoGuard,
    "fastapi.APIRouter": UndeclaringRouter,
}
"""What is imported in place of what, in an app without purposeguard."""


@contextmanager
def _imported(folder: str, package: str, variant: Variant) -> Iterator[Any]:
    """Import an example anew, with or without purposeguard, and forget it again."""
    with ExitStack() as patched:
        patched.enter_context(patch.object(sys, "path", [str(EXAMPLES / folder), *sys.path]))
        for name, substitute in () if variant.guarded else SWITCHED_OFF.items():
            patched.enter_context(patch(name, substitute))
        module = __import__(package)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    yield module


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=".", prefix=".benchmark-") as directory:
        yield Path(directory)
