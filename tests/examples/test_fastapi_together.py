"""The FastAPI example: a second service, requests at once, and nothing personal left behind."""

import asyncio
import json
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import httpx
import pytest
from fastapi import Depends, FastAPI
from fastapi.testclient import TestClient
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from examples.fastapi_kit import (
    DENIED,
    EXAMPLE,
    EXPECTED,
    KEY,
    PAYROLL,
    STEPS,
    STRANGE_KEY,
    create_app,
    environment,
    fetch,
    guard,
    leaks,
    payroll_running,
    personal,
    purposes,
    running,
    send,
    serve,
    telemetry,
)
from purposeguard import Access, AccessDeniedError, bundled_policy
from purposeguard.integrations.tokens import TokenIssuer
from purposeguard.testing import capture


@pytest.fixture(scope="module")
def payroll(tmp_path_factory):
    """The other service: its address and its app."""
    with payroll_running(tmp_path_factory.mktemp("payroll")) as served:
        yield served


@pytest.fixture
def client(tmp_path, payroll):
    """A client of a new HR service."""
    with running(tmp_path, payroll=payroll[0]) as client:
        yield client


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """Every personal value in the database."""
    return personal(tmp_path_factory.mktemp("seeded"))


# --- the other service


def test_payroll_records_where_the_purpose_came_from(client, payroll):
    """The purposes of both services are on its chain, and the caller's name is on record."""
    with capture(payroll[1].state.guard) as accesses:
        fetch(client, "GET", "/customers/1/pay-run")
        fetch(client, "GET", "/reports/customers/1/pay-run")
        httpx.get(f"{payroll[0]}/customers/1/pay-run")
    asked, reported, direct = accesses
    assert (asked.issuer, reported.issuer, direct.issuer) == ("hr-api", "hr-api", None)
    assert asked.chain == ("entrusted", "entrusted.service_delivery")
    assert reported.chain == (
        "analytics",
        "analytics.service_improvement",
        "entrusted.service_delivery",
    )
    assert [record.reason for record in accesses] == ["granted", "prohibited", "granted"]


@pytest.mark.parametrize("key", [KEY, STRANGE_KEY], ids=["genuine", "strange"])
def test_a_token_opens_nothing(payroll, key):
    """Neither a genuine one nor a stranger's lifts what this service asks for: the mandate."""
    with guard.purpose("entrusted.service_delivery", root=True):
        token = TokenIssuer("hr-api", key).token_for(guard, "payroll")
    headers = {"Purposeguard-Purpose": token}
    answer = httpx.get(f"{payroll[0]}/customers/2/pay-run", headers=headers)
    assert (answer.status_code, answer.json()["reason"]) == (403, "mandate_missing")


def test_without_the_other_service(tmp_path):
    """503 where none is configured, 502 where it has trouble of its own."""
    with running(tmp_path) as client:
        assert fetch(client, "GET", "/customers/1/pay-run").status == 503
    broken = FastAPI()  # answers 404
    with serve(broken) as url, running(tmp_path, payroll=url) as client:
        assert client.get("/customers/1/pay-run").status_code == 502


# --- nothing personal


def test_denials_name_nobody(client, seeded):
    """What a refused client gets holds no name, address or other value; a permitted one does."""
    for step in STEPS[:3]:
        fetch(client, *step)
    for method, path, status, *_ in DENIED:
        answer = fetch(client, method, path)
        assert answer.status == status
        assert not leaks(json.dumps(answer.body), seeded)
    permitted = fetch(client, "GET", "/inquiries/1").body
    assert "Gwen Saltwagon" in leaks(json.dumps(permitted), seeded)


TELEMETRY = """
import json, logging, sys
from pathlib import Path
sys.path[:0] = sys.argv[1:3]
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

logs = logging.StreamHandler(sys.stdout)
logs.setFormatter(logging.Formatter("%(name)s %(message)s %(purposeguard)s",
                                    defaults={"purposeguard": ""}))
logging.basicConfig(level=logging.INFO, handlers=[logs])
logging.getLogger("purposeguard").setLevel(logging.DEBUG)
logging.getLogger("sqlalchemy").setLevel(logging.WARNING)
spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
from hr_api import create_app
from serving import send, serve
with serve(create_app(Path(sys.argv[3]), mode=sys.argv[4])) as url:
    for method, path in json.loads(sys.argv[5]):
        send(method, url + path)
for span in spans.get_finished_spans():
    print(span.to_json(indent=None))
"""


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_telemetry_names_nobody(tmp_path, seeded, mode):
    """Spans, written out in full, and guard's lines hold no personal value in either mode."""
    rows = [row[:2] for row in EXPECTED if row[1] not in PAYROLL]
    paths = [str(EXAMPLE), str(EXAMPLE.parent)]
    told = subprocess.run(
        [sys.executable, "-c", TELEMETRY, *paths, tmp_path / "hr.sqlite", mode, json.dumps(rows)],
        capture_output=True,
        env=environment(),
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    spans = "".join(line for line in told.stdout.splitlines() if line.startswith("{"))
    guards = [line for line in told.stdout.splitlines() if line.startswith("purposeguard ")]
    assert spans.count('"name": "access ') >= len(rows)
    assert spans.count('"kind": "SpanKind.SERVER"') == len(rows)
    assert len([line for line in guards if "purposeguard.violation" in line]) >= 5
    assert "/candidates/2" not in spans
    assert not leaks(spans + "".join(guards) + told.stderr, seeded)


def test_an_error_is_not_told_in_the_span(monkeypatch):
    """What went wrong may be about a person: the span says where, not what."""
    spans = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    monkeypatch.setattr(telemetry, "tracer", provider.get_tracer(__name__))
    app = FastAPI(telemetry=telemetry.OWN)
    app.add_middleware(telemetry.TraceRequests)

    @app.get("/candidates/{candidate_id}")
    def fails(candidate_id: int):
        raise RuntimeError("Bram Puddlejump can't be found")

    TestClient(app, raise_server_exceptions=False).get("/candidates/2")
    (span,) = spans.get_finished_spans()
    assert span.name == "GET /candidates/{candidate_id}"
    told = span.to_json()
    assert "Puddlejump" not in told
    assert "/candidates/2" not in told


# --- at once


def test_workers_that_start_at_once_make_the_files_once(tmp_path):
    """The first one makes and seeds them, the others wait."""
    together = threading.Barrier(4, timeout=60)
    apps = [create_app(tmp_path / "hr.sqlite") for _ in range(4)]
    for app in apps:
        app.openapi()  # FastAPI builds its routes late, and hides a warning for the whole process

    def start(app):
        together.wait()
        with TestClient(app):
            return len(app.state.subjects.store.requests_open())

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(start, apps)) == [1] * 4
    with closing(sqlite3.connect(tmp_path / "hr.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM candidates").fetchone() == (6,)


@pytest.fixture
def served(tmp_path, payroll):
    """The address of the service under a real server."""
    with serve(create_app(tmp_path / "hr.sqlite", payroll=payroll[0], token_key=KEY)) as url:
        yield url


def test_requests_at_once_are_answered_as_alone(served, payroll):
    """Requests of every kind, many at once through a real server, get their own answers."""
    requests = [row for row in EXPECTED if row[:2] not in STEPS] * 4
    with (
        capture(guard) as here,
        capture(payroll[1].state.guard) as there,
        ThreadPoolExecutor(8) as pool,
    ):
        answers = list(pool.map(lambda row: send(row[0], served + row[1]), requests))
    assert [answer.status for answer in answers] == [row[2] for row in requests]
    reasons = [record.reason for record in [*here, *there]]
    assert sorted(reasons) == sorted(row[3] for row in requests)


class Naive:
    """Keeps the purpose where every request finds it."""

    current = None

    def __call__(self, purpose):
        async def declare():
            Naive.current = purpose

        return declare

    async def touch(self):
        if not Naive.current.startswith("recruitment"):
            raise AccessDeniedError(guard.decide(Access("candidate")))


@guard.access("candidate", items=["name", "contact"])
async def touch_guarded():
    """Touch data."""


def statuses_of_crossing_requests(declaring, touch):
    """Ask under two purposes at once: no request touches data before all have declared theirs."""
    names = ["recruitment.contact", "marketing.information"] * 4
    app = FastAPI()
    purposes.install(app)
    together = asyncio.Barrier(len(names))

    async def endpoint():
        await together.wait()
        try:
            await touch()
        finally:
            await together.wait()

    for name in set(names):
        app.get(f"/{name}", dependencies=[Depends(declaring(name))])(endpoint)
    with serve(app) as url, ThreadPoolExecutor(len(names)) as pool:
        return list(pool.map(lambda name: send("GET", f"{url}/{name}").status, names))


def test_purposes_dont_cross_between_requests():
    """Each of eight requests inside their purposes at once is judged by its own alone."""
    guard.load(bundled_policy("smarthr"), mode="enforce")
    assert statuses_of_crossing_requests(purposes, touch_guarded) == [200, 403] * 4


def test_a_naive_guard_would_be_caught():
    """The same requests through a guard with one purpose for all are mixed up."""
    naive = Naive()
    assert statuses_of_crossing_requests(naive, naive.touch) != [200, 403] * 4
