"""Requests per second of the example apps, with and without purposeguard in them.

An app is called in this process, with no network between: what remains is the framework, the app
and its database. All is traced by the OpenTelemetry SDK, with a processor that does nothing.
"""

import contextvars
import multiprocessing
import sys
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from pathlib import Path
from time import process_time_ns
from typing import Any, NamedTuple
from unittest.mock import patch

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
Ask = Callable[[str, str], None]
"""Makes a request, given its method and path."""


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
        Case(variant.what, _all_of(mix, ask), contextvars.Context(), len(mix))
        for variant, ask in zip(VARIANTS, asking, strict=True)
    ]
    timings = interleaved(cases, size, process_time_ns)
    for case, timing in zip(cases, timings, strict=True):
        told = what if case is cases[0] else f"the same, {case.what}"
        yield Figure(told, 1e6 / timing.microseconds, "/s", timings[0].over(timing))


def _all_of(mix: Mix, ask: Ask) -> Callable[[], None]:
    def call() -> None:
        for method, path in mix:
            ask(method, path)

    return call


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

    def ask(method: str, path: str) -> None:
        body = app.wsgi_app(environments[method, path].copy(), started)
        b"".join(body)
        body.close()

    with _folder() as folder, _imported("flask_app", "hr_service", variant) as service:
        ledger = folder / "ledger" if variant.ledger else None
        app = service.create_app(folder / "hr.sqlite", ledger=ledger)
        with closing(app.extensions["subjects"]):
            yield ask


APPS: dict[str, Callable[[Variant], AbstractContextManager[Ask]]] = {"Flask": flask_app}


class Nothing:
    """A decorator and a block that do nothing."""

    def __call__(self, function: Any) -> Any:
        return function

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
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


SWITCHED_OFF = (
    "purposeguard.Guard",
    "purposeguard.integrations.flask.FlaskPurposes",
    "purposeguard.integrations.celery.CeleryPurposes",
)


@contextmanager
def _imported(folder: str, package: str, variant: Variant) -> Iterator[Any]:
    """Import an example anew, with or without purposeguard, and forget it again."""
    with ExitStack() as patched:
        patched.enter_context(patch.object(sys, "path", [str(EXAMPLES / folder), *sys.path]))
        for name in () if variant.guarded else SWITCHED_OFF:
            patched.enter_context(patch(name, NoGuard))
        module = __import__(package)
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
    yield module


@contextmanager
def _folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir=".", prefix=".benchmark-") as directory:
        yield Path(directory)
