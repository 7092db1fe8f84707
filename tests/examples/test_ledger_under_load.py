"""The Flask example under a prefork server: right answers, and every access in the ledger."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from effort import effort
from examples.load_kit import CONNECTIONS, hammer, require_locust
from purposeguard.evidence.ledger.verify import keys_by_id, verify

pytestmark = pytest.mark.once

pytest.importorskip("gunicorn", reason="the load test needs gunicorn")
pytest.importorskip("celery", reason="the example has a worker: install the extra `example`")

EXAMPLE = Path(__file__).parents[2] / "examples" / "flask_app"
REQUESTS = effort(200, 1000, 10_000)
WORKERS = 4
KEY = "a key of the tests, no secret"
ASKED = [
    ("GET", "/jobs/1/shortlist", 200, ["recruitment.selection"]),
    ("GET", "/jobs/1/applicants.csv", 200, ["recruitment.selection"]),
    ("GET", "/events/1/participants", 200, ["events.operation"]),
    ("GET", "/events/1/interests", 200, ["analytics.customer_needs"]),
    ("GET", "/visitors", 200, ["security.office_access"]),
    ("POST", "/events/1/co-host", 200, ["events.operation"]),
    ("POST", "/reports/newsletter-to-candidates", 403, ["marketing.information"]),
    ("GET", "/customers/2/payslips", 403, ["entrusted.service_delivery"]),
    ("GET", "/reports/pay-trends", 403, ["analytics.service_improvement"]),
    ("GET", "/reports/everybody", 403, []),
]
"""Method, path, status, and the purposes of the accesses."""


@pytest.fixture
def served(request, tmp_path):
    """Yield the port of the example under gunicorn, and end it as an operator does."""
    environment = {
        **os.environ,
        "HR_DATABASE": str(tmp_path / "hr.sqlite"),
        "HR_LEDGER": str(tmp_path / "ledger"),
        "HR_TASK_KEY": "5a" * 32,
        "PURPOSEGUARD_LEDGER_KEY": KEY,
        "PURPOSEGUARD_SUBJECT_KEY": "5a" * 32,
        "PYTHONPATH": os.pathsep.join(filter(None, [str(EXAMPLE), os.environ.get("PYTHONPATH")])),
    }
    make = "from hr_service import create_app; create_app()"
    subprocess.run([sys.executable, "-c", make], env=environment, check=True)
    command = [sys.executable, "-m", "gunicorn", "-w", str(WORKERS), "-b", "127.0.0.1:0"]
    command += [*request.param, "--graceful-timeout", "30", "hr_service:create_app()"]
    told = tmp_path / "server.log"
    with (
        told.open("w") as log,
        subprocess.Popen(command, env=environment, stderr=log, cwd=tmp_path) as server,
    ):
        yield _port(told), tmp_path / "ledger"
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0


def _port(log):
    """Return where the server listens, as soon as it says so."""
    end = time.monotonic() + 60
    while not (found := re.search(r"Listening at: \S+:(\d+)", log.read_text())):
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)
    return int(found[1])


def ask(port, method, path):
    """Send one request, and return status and body."""
    for _ in range(200):
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            try:
                connection.request(method, path)
                answer = connection.getresponse()
                return answer.status, answer.read().decode()
            except ConnectionRefusedError:
                time.sleep(0.05)
    raise AssertionError("the server does not answer")


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "served",
    [(), ("--preload",), ("--worker-class", "gthread", "--threads", str(CONNECTIONS // WORKERS))],
    ids=["forked", "preload", "threads"],
    indirect=True,
)
def test_every_answer_is_right_and_every_access_recorded(served, tmp_path):
    """64 connections under mixed purposes: the ledger has what each request alone would leave."""
    require_locust()
    port, ledger = served
    alone, plan = {}, []
    for method, path, status, purposes in ASKED:
        before = _accesses(ledger)
        answered, body = ask(port, method, path)
        alone[f"{method} {path}"] = left = _accesses(ledger) - before
        assert (answered, {each.purposes for each in left}) == (status, {tuple(purposes)})
        plan.append((method, path, status, body))
    _wait_for_workers(port, ledger)
    before = _accesses(ledger)
    asked = hammer(f"http://127.0.0.1:{port}", plan, REQUESTS, tmp_path)
    assert asked.total() == REQUESTS
    expected = Counter()
    for name, times in asked.items():
        expected.update({each: count * times for each, count in alone[name].items()})
    assert _accesses(ledger) - before == expected
    assert (before + expected).total() == _accesses(ledger).total()
    verdict = verify(ledger, keys_by_id([KEY.encode()]))
    assert not verdict.problems
    assert (verdict.records, verdict.lost, verdict.refused) == (
        (before + expected).total(),
        0,
        0,
    )
    assert verdict.segments >= 2  # how many of the workers get requests is up to the kernel


def _wait_for_workers(port, ledger):
    """Ask until several have answered: the one that is up first may have to do it all."""
    end = time.monotonic() + 120
    with ThreadPoolExecutor(16) as pool:
        while len(list(ledger.glob("*.jsonl"))) < 2 and time.monotonic() < end:
            list(pool.map(lambda _: ask(port, "GET", "/visitors"), range(64)))


class Access(NamedTuple):
    """What a record says of an access, but for when and where."""

    function: str
    purposes: tuple
    reason: str
    subjects: tuple
    customers: tuple


def _accesses(ledger):
    """Count the accesses of each kind by reading the files, apart from the library."""
    lines = [
        json.loads(line)
        for path in ledger.glob("*.jsonl")
        for line in path.read_bytes().splitlines()
    ]
    return Counter(
        Access(
            line["function"],
            tuple(line.get("purposes", ())),
            line["reason"],
            tuple(line.get("subjects", ())),
            tuple(line.get("customers", ())),
        )
        for line in lines
        if line["kind"] == "access"
    )
