"""The FastAPI example under several workers: right answers, and every access in the ledger."""

import json
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import httpx
import pytest

from effort import effort
from examples.fastapi_kit import EXAMPLE, address, environment
from examples.load_kit import hammer, require_locust
from purposeguard.evidence.ledger.verify import keys_by_id, verify

pytestmark = pytest.mark.once

REQUESTS = effort(300, 2_000, 10_000)
WORKERS = 2
KEY = "a key of the tests, no secret"
ASKED = [
    ("GET", "/jobs/1/shortlist", 200, ["recruitment", "recruitment.selection"]),
    ("GET", "/jobs/1/applicants.csv", 200, ["recruitment", "recruitment.selection"]),
    ("GET", "/candidates/2", 200, ["recruitment", "recruitment.selection"]),
    ("GET", "/candidates/experience", 200, ["recruitment.statistics"]),
    ("GET", "/events/1/participants", 200, ["events", "events.operation"]),
    ("GET", "/events/1/interests", 200, ["analytics", "analytics.customer_needs"]),
    ("GET", "/visitors", 200, ["security", "security.office_access"]),
    ("POST", "/events/1/co-host", 200, ["events", "events.operation"]),
    ("POST", "/reports/newsletter-to-candidates", 403, ["marketing", "marketing.information"]),
    ("GET", "/reports/candidates", 403, ["marketing", "marketing.information"]),
    ("GET", "/reports/admins/1", 403, ["support", "support.inquiry_response"]),
    ("GET", "/customers/2/payslips", 403, ["entrusted", "entrusted.service_delivery"]),
    ("GET", "/reports/pay-trends", 403, ["analytics", "analytics.service_improvement"]),
    ("GET", "/reports/everybody", 403, []),
]
"""Method, path, status, and the chain of purposes of the access."""


@pytest.fixture
def served(tmp_path):
    """Yield a client of the example under uvicorn, whose workers make the database themselves."""
    command = [sys.executable, "-m", "uvicorn", "--factory", "hr_api:create_app", "--port", "0"]
    command += ["--workers", str(WORKERS), "--no-access-log"]
    told = tmp_path / "server.log"
    settings = environment(
        HR_DATABASE=str(tmp_path / "hr.sqlite"),
        HR_LEDGER=str(tmp_path / "ledger"),
        PURPOSEGUARD_LEDGER_KEY=KEY,
        PURPOSEGUARD_SUBJECT_KEY="5a" * 32,
        PYTHONPATH=str(EXAMPLE),
    )
    with (
        told.open("w") as log,
        subprocess.Popen(command, env=settings, stderr=log, cwd=tmp_path) as server,
    ):
        try:
            url = address(told, server, WORKERS)
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
                yield client
        finally:
            server.terminate()
            assert server.wait(60) in (0, -15), told.read_text()


@pytest.mark.timeout(900)
def test_every_answer_is_right_and_every_access_recorded(served, tmp_path):
    """64 connections under mixed purposes: the ledger has what each request alone would leave."""
    require_locust()
    ledger = tmp_path / "ledger"
    alone, plan = {}, []
    for method, path, status, chain in ASKED:
        before = _accesses(ledger)
        answer = served.request(method, path)
        left = _accesses(ledger) - before
        assert (answer.status_code, left.total()) == (status, 1), path
        assert {each.chain for each in left} == {tuple(chain)}
        alone[f"{method} {path}"] = left
        plan.append((method, path, status, answer.text))
    _wait_for_workers(served, ledger)
    before = _accesses(ledger)
    asked = hammer(str(served.base_url), plan, REQUESTS, tmp_path)
    assert asked.total() == REQUESTS
    expected = Counter()
    for name, times in asked.items():
        expected.update({each: count * times for each, count in alone[name].items()})
    assert _accesses(ledger) - before == expected
    total = (before + expected).total()
    assert _accesses(ledger).total() == total
    verdict = verify(ledger, keys_by_id([KEY.encode()]))
    assert not verdict.problems
    assert (verdict.records, verdict.lost, verdict.refused) == (total, 0, 0)
    assert verdict.segments == WORKERS


def _wait_for_workers(client, ledger):
    """Ask until all have answered: the one that is up first may have to do it all."""
    end = time.monotonic() + 120
    with ThreadPoolExecutor(16) as pool:
        while len(list(ledger.glob("*.jsonl"))) < WORKERS and time.monotonic() < end:
            list(pool.map(lambda _: httpx.get(f"{client.base_url}/visitors"), range(64)))


class Access(NamedTuple):
    """What a record says of an access, but for when and where."""

    function: str
    chain: tuple
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
            tuple(line.get("chain", ())),
            line["reason"],
            tuple(line.get("subjects", ())),
            tuple(line.get("customers", ())),
        )
        for line in lines
        if line["kind"] == "access"
    )
