"""The demo's plumbing: a real server, a client for it, and a worker."""

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
from typing import Any, Self

from flask import Flask
from werkzeug.serving import make_server

from hr_service.guard import SUBJECT_KEY, TASK_KEY
from plumbing.watching import Answer, Job


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
