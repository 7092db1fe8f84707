"""What the tests of the FastAPI example share: its requests, and how they are sent."""

# ruff: noqa: E402 - the later imports need what is checked and set before them

import os
import re
import sqlite3
import sys
import time
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

for needed in ("fastapi", "uvicorn", "websockets", "aiosqlite", "greenlet", "sqlglot", "joserfc"):
    pytest.importorskip(needed, reason="the example needs it: install the extra `example`")
pytest.importorskip("opentelemetry.sdk", reason="the demo shows spans: install the extra `example`")

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi_app"
sys.path[:0] = [str(EXAMPLE), str(EXAMPLE.parent)]

import payroll_api
from fastapi.testclient import TestClient
from hr_api import create_app, seed, telemetry
from hr_api.guard import guard, purposes
from joserfc.jwk import OKPKey
from serving import send, serve
from starlette.websockets import WebSocketDisconnect

from plumbing.watching import Answer
from purposeguard.integrations.tokens import TokenIssuer

__all__ = ["create_app", "guard", "purposes", "send", "serve", "telemetry"]
"""What tests take from here, since only here is it known where the example is."""

# method, path, status, reason, clauses of the decision
EXPECTED = [
    ("GET", "/jobs/1/shortlist", 200, "granted", ["H2(i)f-1"]),
    ("GET", "/jobs/1/applicants.csv", 200, "granted", ["H2(i)f-1"]),
    ("POST", "/jobs/1/second-opinion", 200, "granted", ["H2(i)f-1", "H3(ii)e"]),
    ("GET", "/candidates/2", 200, "granted", ["H2(i)f-1"]),
    ("POST", "/candidates/2/invitation", 200, "granted", ["H2(i)f-3"]),
    ("POST", "/candidates/openings", 200, "granted", ["H2(i)f-5"]),
    ("GET", "/candidates/experience", 200, "granted", ["H2(i)f-4"]),
    ("GET", "/inquiries/1", 200, "granted", ["H2(i)a-11"]),
    ("GET", "/admins/1/recommendations", 200, "granted", ["H2(i)a-4"]),
    ("GET", "/events/1/participants", 200, "granted", ["H2(i)c-1"]),
    ("GET", "/events/1/interests", 200, "granted", ["H2(i)c-5"]),
    ("POST", "/newsletter", 200, "granted", ["H2(i)a-3"]),
    ("GET", "/visitors", 200, "granted", ["H2(i)e-1"]),
    ("WS", "/visitors/live", 101, "granted", ["H2(i)e-1"]),
    ("POST", "/visitors/1/arrival", 202, "granted", ["H2(i)e-1"]),
    ("POST", "/events/1/co-host", 200, "granted", ["H2(i)c-1", "H3(i)p2"]),
    ("POST", "/customers/1/audience", 200, "granted", ["H3(i)p1"]),
    ("GET", "/customers/1/payslips", 200, "granted", ["H2(ii)a-1"]),
    ("GET", "/customers/1/pay-run", 200, "granted", ["H2(ii)a-1"]),
    ("GET", "/requests/1/report", 200, "granted", ["H6(i)"]),
    ("POST", "/candidates/3/suspension", 200, "granted", ["H6(v)", "H1(iv)"]),
    ("POST", "/requests/2/verification", 200, "granted", ["H6(v)"]),
    ("POST", "/requests/2/acceptance", 200, "granted", ["H6(v)"]),
    ("POST", "/reports/newsletter-to-candidates", 403, "not_granted", []),
    ("POST", "/reports/borrowed-openings", 403, "not_granted", []),
    ("GET", "/reports/candidates", 403, "not_granted", []),
    ("GET", "/reports/inquiries/1/activity", 403, "item_excess", ["H2(i)a-11"]),
    ("GET", "/reports/admins/1", 403, "item_excess", ["H2(i)a-11"]),
    ("GET", "/reports/pay-trends", 403, "prohibited", ["H2(ii)a"]),
    ("GET", "/reports/customers/1/pay-run", 403, "prohibited", ["H2(ii)a"]),
    ("POST", "/reports/visitors-for-group", 403, "recipient_not_listed", ["H2(i)e-1"]),
    ("WS", "/reports/visitors/live", 1008, "not_granted", []),
    ("POST", "/reports/events/1/guests", 403, "consent_missing", ["H2(i)c-1", "H3(i)p2"]),
    ("POST", "/customers/2/audience", 403, "consent_missing", ["H3(i)p1"]),
    ("GET", "/customers/2/payslips", 403, "mandate_missing", ["H2(ii)a-1"]),
    ("POST", "/candidates/3/invitation", 403, "use_suspended", ["H2(i)f-3", "H6(i)"]),
    ("POST", "/reports/events/1/nameless", 403, "evidence_unavailable", ["H2(i)c-1", "H3(i)p2"]),
    ("GET", "/reports/everybody", 403, "purpose_undeclared", []),
]
PERMITTED = [row for row in EXPECTED if row[3] == "granted"]
DENIED = [row for row in EXPECTED if row[3] != "granted"]
GAPS = ("evidence_unavailable", "purpose_undeclared")
PAYROLL = ("/customers/1/pay-run", "/reports/customers/1/pay-run")
"""What the other service answers, and records."""

STEPS = [
    ("POST", "/candidates/3/suspension"),
    ("POST", "/requests/2/verification"),
    ("POST", "/requests/2/acceptance"),
    ("POST", "/candidates/3/invitation"),
]
"""Requests that each need those before them."""


def ids(rows):
    """Return what rows of requests are called in reports."""
    return [f"{method} {path}" for method, path, *_ in rows]


KEY, STRANGE_KEY = (OKPKey.generate_key("Ed25519").as_dict(private=True) for _ in range(2))
PUBLIC = TokenIssuer("hr-api", KEY).public_keys()


@contextmanager
def payroll_running(folder, **options):
    """Serve the payroll service: yield its address and its app."""
    app = payroll_api.create_app(folder / "payroll.sqlite", trusted=PUBLIC, **options)
    with serve(app) as url:
        yield url, app


@contextmanager
def running(folder, **options):
    """Yield a client of the HR service, while it runs."""
    app = create_app(folder / "hr.sqlite", token_key=KEY, **options)
    try:
        with TestClient(app) as client:
            yield client
    finally:
        guard._exchange(lambda state: replace(state, ledger=None))


def fetch(client, method, path):
    """Send a request, or ask once over a WebSocket, and return what comes back."""
    if method == "WS":
        with client.websocket_connect(path) as socket:
            socket.send_text("now")
            try:
                return Answer(101, socket.receive_json())
            except WebSocketDisconnect as closed:
                return Answer(closed.code, closed.reason)
    answer = client.request(method, path)
    is_json = answer.headers["content-type"].endswith("json")
    return Answer(answer.status_code, answer.json() if is_json else answer.text)


def prepare(client, method, path):
    """Make the requests that one needs before it."""
    for step in STEPS[: STEPS.index((method, path)) if (method, path) in STEPS else 0]:
        assert fetch(client, *step).status == 200


def personal(folder):
    """Return every personal value in a new database: names, addresses, histories, contents."""
    path = folder / "people.sqlite"
    seed.people(path)
    tables = ("candidates", "customer_admins", "event_participants", "visitors", "entrusted")
    values = set()
    with closing(sqlite3.connect(path)) as connection:
        for table in (*tables, "requests"):
            for row in connection.execute(f"SELECT * FROM {table}"):
                values |= {value for value in row if isinstance(value, str)}
    surnames = {word for value in values for word in re.findall(r"\b[A-Z]\w{6,}\b", value)}
    assert {"Mintleaf", "gwen.saltwagon@customers.example"} <= values | surnames
    return values | surnames


def leaks(text, values):
    """Return the personal values in a text."""
    return sorted(value for value in values if value in text)


def environment(**more):
    """Return an environment for a process of the example's own, without telemetry settings."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    return {**kept, "PYTHONUTF8": "1", "http_proxy": "http://127.0.0.1:9", **more}


def address(log, server, workers=1):
    """Return where uvicorn listens, as soon as all of its workers have started."""
    end = time.monotonic() + 60
    while True:
        told = log.read_text()
        found = re.search(r"running on (http://\S+) ", told)
        if found and told.count("Application startup complete") >= workers:
            break
        assert server.poll() is None, told
        assert time.monotonic() < end, told
        time.sleep(0.05)
    assert "Traceback" not in told, told
    return found[1]
