"""The example under a prefork server: every access of every worker is in the ledger."""

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
from pathlib import Path

import pytest

from effort import effort
from purposeguard.evidence.ledger.verify import keys_by_id, verify

pytest.importorskip("gunicorn", reason="the load test needs gunicorn")

EXAMPLE = Path(__file__).parents[2] / "examples" / "flask_app"
REQUESTS = effort(200, 1000, 10_000)
WORKERS = 4
KEY = "a key of the tests, no secret"
PATHS = [
    ("GET", "/jobs/1/shortlist", 200),
    ("GET", "/events/1/participants", 200),
    ("GET", "/visitors", 200),
    ("POST", "/events/1/co-host", 200),
    ("GET", "/customers/2/payslips", 403),
    ("GET", "/reports/pay-trends", 403),
    ("GET", "/reports/everybody", 403),
]


@pytest.fixture
def served(request, tmp_path):
    """Yield the port of the example under gunicorn, and end it as an operator does."""
    environment = {
        **os.environ,
        "HR_DATABASE": str(tmp_path / "hr.sqlite"),
        "HR_LEDGER": str(tmp_path / "ledger"),
        "PURPOSEGUARD_LEDGER_KEY": KEY,
        "PURPOSEGUARD_SUBJECT_KEY": "5a" * 32,
        "PYTHONPATH": str(EXAMPLE),
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
    """Send one request and return the status."""
    for _ in range(200):
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            connection.request(method, path)
            return connection.getresponse().status
        except ConnectionRefusedError:
            time.sleep(0.05)
        finally:
            connection.close()
    raise AssertionError("the server does not answer")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("served", [(), ("--preload",)], ids=["forked", "preload"], indirect=True)
def test_records_equal_accesses(served):
    """As many records as the requests made accesses, and every segment verifies."""
    port, ledger = served
    alone = Counter()
    for method, path, status in PATHS:  # how many accesses each makes: one request of each, first
        before = _accesses(ledger)
        assert ask(port, method, path) == status
        alone[path] = _accesses(ledger) - before
    assert all(alone.values())
    asked = []
    end = time.monotonic() + 120
    # A worker that is up first may answer all of them before the others are.
    while not asked or (len(list(ledger.glob("*.jsonl"))) < 2 and time.monotonic() < end):
        several = [PATHS[number % len(PATHS)] for number in range(REQUESTS)]
        with ThreadPoolExecutor(16) as pool:
            statuses = list(pool.map(lambda each: ask(port, *each[:2]), several))
        assert statuses == [status for _, _, status in several]
        asked += several
    expected = sum(alone.values()) + sum(alone[path] for _, path, _ in asked)
    assert _accesses(ledger) == expected
    verdict = verify(ledger, keys_by_id([KEY.encode()]))
    assert not verdict.problems
    assert (verdict.records, verdict.lost, verdict.refused) == (expected, 0, 0)
    assert verdict.segments >= 2  # how many of the workers get requests is up to the kernel


def _accesses(ledger):
    """Count the accesses by reading the files, apart from the library."""
    return sum(
        json.loads(line)["kind"] == "access"
        for path in ledger.glob("*.jsonl")
        for line in path.read_bytes().splitlines()
    )
