"""The Flask example: where it is, what is asked of it, and what it should answer."""

# ruff: noqa: E402 - the example is imported from where it lies

import re
import sqlite3
import sys
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

pytest.importorskip("flask", reason="the example is a Flask app: install the extra `example`")
pytest.importorskip("celery", reason="the example has a worker: install the extra `example`")
pytest.importorskip("opentelemetry.sdk", reason="the demo shows spans: install the extra `example`")

EXAMPLE = Path(__file__).parents[2] / "examples" / "flask_app"
sys.path.insert(0, str(EXAMPLE))

import hr_service.guard
import hr_service.services.recruiting
from hr_service import create_app, database

guard = hr_service.guard.guard
recruiting = hr_service.services.recruiting
SUBJECT_KEY, TASK_KEY = hr_service.guard.SUBJECT_KEY, hr_service.guard.TASK_KEY

# method, path, reason, clauses of the decision
EXPECTED = [
    ("GET", "/jobs/1/shortlist", "granted", ["H2(i)f-1"]),
    ("GET", "/jobs/1/applicants.csv", "granted", ["H2(i)f-1"]),
    ("POST", "/jobs/1/second-opinion", "granted", ["H2(i)f-1", "H3(ii)e"]),
    ("POST", "/candidates/2/invitation", "granted", ["H2(i)f-3"]),
    ("POST", "/candidates/openings", "granted", ["H2(i)f-5"]),
    ("GET", "/candidates/experience", "granted", ["H2(i)f-4"]),
    ("GET", "/inquiries/1", "granted", ["H2(i)a-11"]),
    ("GET", "/admins/1/recommendations", "granted", ["H2(i)a-4"]),
    ("GET", "/events/1/participants", "granted", ["H2(i)c-1"]),
    ("GET", "/events/1/interests", "granted", ["H2(i)c-5"]),
    ("GET", "/visitors", "granted", ["H2(i)e-1"]),
    ("POST", "/events/1/co-host", "granted", ["H2(i)c-1", "H3(i)p2"]),
    ("POST", "/customers/1/audience", "granted", ["H3(i)p1"]),
    ("GET", "/customers/1/payslips", "granted", ["H2(ii)a-1"]),
    ("GET", "/requests/1/report", "granted", ["H6(i)"]),
    ("POST", "/candidates/3/suspension", "granted", ["H6(v)", "H1(iv)"]),
    ("POST", "/requests/2/verification", "granted", ["H6(v)"]),
    ("POST", "/requests/2/acceptance", "granted", ["H6(v)"]),
    ("POST", "/reports/newsletter-to-candidates", "not_granted", []),
    ("POST", "/reports/borrowed-openings", "not_granted", []),
    ("GET", "/reports/inquiries/1/activity", "item_excess", ["H2(i)a-11"]),
    ("GET", "/reports/pay-trends", "prohibited", ["H2(ii)a"]),
    ("POST", "/reports/visitors-for-group", "recipient_not_listed", ["H2(i)e-1"]),
    ("POST", "/reports/events/1/guests", "consent_missing", ["H2(i)c-1", "H3(i)p2"]),
    ("POST", "/customers/2/audience", "consent_missing", ["H3(i)p1"]),
    ("GET", "/customers/2/payslips", "mandate_missing", ["H2(ii)a-1"]),
    ("POST", "/candidates/3/invitation", "use_suspended", ["H2(i)f-3", "H6(i)"]),
    ("POST", "/reports/events/1/nameless", "evidence_unavailable", ["H2(i)c-1", "H3(i)p2"]),
    ("GET", "/reports/everybody", "purpose_undeclared", []),
]
PERMITTED = [row for row in EXPECTED if row[2] == "granted"]
DENIED = [row for row in EXPECTED if row[2] != "granted"]
IDS = [f"{method} {path}" for method, path, *_ in EXPECTED]
GAPS = ("evidence_unavailable", "purpose_undeclared")

JOBS = [
    ("POST", "/newsletter", "granted", ["H2(i)a-3"]),
    ("POST", "/reports/reminder", "purpose_undeclared", []),
]
"""What is handed to a worker: the reason and the clauses are those of its access."""

STEPS = [
    ("POST", "/candidates/3/suspension"),
    ("POST", "/requests/2/verification"),
    ("POST", "/requests/2/acceptance"),
    ("POST", "/candidates/3/invitation"),
]
"""Requests that each need those before them."""


@contextmanager
def running(path, **options):
    """Make the service, and close what it has open."""
    app = create_app(path, **options)
    with closing(app.extensions["subjects"]):
        yield app


def personal_values(folder):
    """Return every personal value of the database: names, addresses, histories, contents."""
    folder.mkdir(exist_ok=True)
    path = folder / "made-up.sqlite"
    database.create(path)
    values = set()
    with closing(sqlite3.connect(path)) as connection:
        for table in guarded_tables():
            for row in connection.execute(f"SELECT * FROM {table}"):
                values |= {value for value in row if isinstance(value, str)}
    surnames = {word for value in values for word in re.findall(r"\b[A-Z]\w{6,}\b", value)}
    assert {"Mintleaf", "gwen.saltwagon@customers.example"} <= values | surnames
    return values | surnames


def guarded_tables():
    return (
        "candidates",
        "customer_admins",
        "event_participants",
        "visitors",
        "entrusted",
        "requests",
    )


def leaks(text, values):
    return sorted(value for value in values if value in text)


def fetch(app, method, path):
    return app.test_client().open(path, method=method, buffered=True)


def prepare(app, method, path):
    """Make the requests that one needs before it."""
    for step in STEPS[: STEPS.index((method, path)) if (method, path) in STEPS else 0]:
        assert fetch(app, *step).status_code == 200


def outbox(app):
    with closing(sqlite3.connect(app.config["DATABASE"])) as connection:
        return connection.execute("SELECT count(*) FROM outbox").fetchone()[0]
