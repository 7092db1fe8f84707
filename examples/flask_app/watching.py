"""The demo's plumbing: a real server, real requests, and an eye on spans and log events."""

import csv
import json
import logging
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from flask import Flask
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from werkzeug.serving import make_server

from hr_service.guard import SUBJECT_KEY, TASK_KEY


@contextmanager
def serve(app: Flask, port: int) -> Iterator[str]:
    """Serve the app on loopback while the block runs, and return its address."""
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line for each request
    server = make_server("127.0.0.1", port, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def verified(ledger: Path) -> str:
    """Return what the command says of the ledger, while the service still writes into it."""
    command = [sys.executable, "-m", "purposeguard", "ledger", "verify", ledger.name]
    done = subprocess.run(  # noqa: S603 - a command of ours
        command, cwd=ledger.parent, capture_output=True, text=True, check=False
    )
    return done.stdout


class Answer(NamedTuple):
    """What a client got."""

    status: int
    body: Any


def send(method: str, url: str) -> Answer:
    """Send a request, past any proxy, and return the answer, whatever its status is."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    request = urllib.request.Request(url, method=method)  # noqa: S310 - an http address of ours
    try:
        with opener.open(request, timeout=30) as response:
            text = response.read().decode()
            is_json = response.headers.get_content_type().endswith("json")
            body = json.loads(text) if is_json else list(csv.DictReader(text.splitlines()))
            return Answer(response.status, body)
    except urllib.error.HTTPError as error:
        with error:
            text = error.read()
        is_json = error.headers.get_content_type().endswith("json")
        return Answer(error.code, json.loads(text) if is_json else None)


class Job(NamedTuple):
    """What came of a background job: how it ended, and the ledger's record of its access."""

    told: dict[str, Any]
    record: dict[str, Any]


class Worker:
    """A Celery worker in a process of its own, for as long as the block runs."""

    def __init__(self, database: Path, mode: str, ledger: Path) -> None:
        self._ledger = ledger
        self._log = database.with_suffix(".log")
        self._environment = {
            **os.environ,
            "HR_DATABASE": str(database),
            "HR_LEDGER": str(ledger),
            "HR_TASK_KEY": TASK_KEY.decode(),
            "PURPOSEGUARD_MODE": mode,
            "PURPOSEGUARD_SUBJECT_KEY": SUBJECT_KEY.decode(),
        }

    def __enter__(self) -> Self:
        here = str(Path(__file__).parent)
        options = ["--workdir", here, "--app", "hr_service.worker", "worker", "--pool", "solo"]
        with self._log.open("w") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a command of ours
                [sys.executable, "-m", "celery", *options],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()

    def done(self, url: str, handed: Answer) -> Job:
        """Wait for a job that was handed over, and return what came of it."""
        asked = f"{url}/mailings/{handed.body['mailing']}"
        end = time.monotonic() + 60
        while (told := send("GET", asked).body)["state"] not in ("SUCCESS", "FAILURE"):
            if self._process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the worker does not work: {self._log.read_text()}")
            time.sleep(0.1)
        return Job(told, self._newest())

    def _newest(self) -> dict[str, Any]:
        lines = "".join(file.read_text() for file in self._ledger.glob("*.jsonl")).splitlines()
        accesses = [line for line in map(json.loads, lines) if line["kind"] == "access"]
        newest: dict[str, Any] = max(accesses, key=lambda access: access["time"])
        return newest


class Seen(NamedTuple):
    """What one request left behind: its spans, and its log events as (name, text)."""

    spans: tuple[ReadableSpan, ...]
    events: list[tuple[str, str]]


class Watcher(logging.Handler):
    """Keeps what the service tells, until it is taken.

    It sets up tracing for the process. No OpenTelemetry logs are set up, so log events go to the
    logger `purposeguard`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._events: list[tuple[str, str]] = []
        self._spans = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self._spans))
        trace.set_tracer_provider(provider)
        logger = logging.getLogger("purposeguard")
        logger.setLevel(logging.INFO)
        logger.propagate = False
        logger.addHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one log event."""
        name, _, text = record.getMessage().partition(": ")
        self._events.append((name, text))

    def take(self) -> Seen:
        """Return what was told since the last time. A request's spans end before its answer."""
        seen = Seen(self._spans.get_finished_spans(), self._events)
        self._spans.clear()
        self._events = []
        return seen
