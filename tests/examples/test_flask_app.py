"""The Flask example: its demo, its answers, and that nothing personal is left behind."""

# ruff: noqa: E402 - the later imports need what is checked and set before them

import http.client
import json
import os
import re
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

pytest.importorskip("flask", reason="the example is a Flask app: install the extra `example`")
pytest.importorskip("opentelemetry.sdk", reason="the demo shows spans: install the extra `example`")

EXAMPLE = Path(__file__).parents[2] / "examples" / "flask_app"
sys.path.insert(0, str(EXAMPLE))

import hr_service.guard
from flask import Flask
from hr_service import create_app, database
from werkzeug.serving import make_server

from purposeguard import Access, AccessDeniedError, bundled_policy
from purposeguard.testing import capture

guard = hr_service.guard.guard

# method, path, reason, clauses of the decision
EXPECTED = [
    ("GET", "/jobs/1/shortlist", "granted", ["H2(i)f-1"]),
    ("POST", "/jobs/1/second-opinion", "granted", ["H2(i)f-1", "H3(ii)e"]),
    ("POST", "/candidates/2/invitation", "granted", ["H2(i)f-3"]),
    ("POST", "/candidates/openings", "granted", ["H2(i)f-5"]),
    ("GET", "/candidates/experience", "granted", ["H2(i)f-4"]),
    ("GET", "/inquiries/1", "granted", ["H2(i)a-11"]),
    ("GET", "/admins/1/recommendations", "granted", ["H2(i)a-4"]),
    ("GET", "/events/1/participants", "granted", ["H2(i)c-1"]),
    ("GET", "/events/1/interests", "granted", ["H2(i)c-5"]),
    ("POST", "/newsletter", "granted", ["H2(i)a-3"]),
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


@pytest.fixture
def app(tmp_path):
    with running(tmp_path / "hr.sqlite", mode="enforce") as made:
        yield made


@pytest.fixture
def observing(tmp_path):
    with running(tmp_path / "hr.sqlite", mode="observe") as made:
        yield made
    guard.load(bundled_policy("smarthr"), mode="enforce")


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    """Every personal value in the database: names, addresses, histories, logs, contents."""
    path = tmp_path_factory.mktemp("seeded") / "hr.sqlite"
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
    return app.test_client().open(path, method=method)


def prepare(app, method, path):
    """Make the requests that one needs before it."""
    for step in STEPS[: STEPS.index((method, path)) if (method, path) in STEPS else 0]:
        assert fetch(app, *step).status_code == 200


def outbox(app):
    with closing(sqlite3.connect(app.config["DATABASE"])) as connection:
        return connection.execute("SELECT count(*) FROM outbox").fetchone()[0]


# --- the demo


def run_demo(*arguments):
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    return subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE / "demo.py", *arguments],
        capture_output=True,
        env={**environment, "PYTHONUTF8": "1", "http_proxy": "http://127.0.0.1:9"},
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def by_request(output):
    """What the demo printed about each request: its status and verdict, and the lines below."""
    head = re.compile(r"^ *\d+  (GET|POST) +(\S+) .* (\d{3})  ([A-Za-z ]+)$", re.MULTILINE)
    found = list(head.finditer(output))
    ends = [match.start() for match in found[1:]] + [len(output)]
    return {
        (match[1], match[2]): (int(match[3]), match[4], output[match.end() : end])
        for match, end in zip(found, ends, strict=True)
    }


@pytest.fixture(scope="module", params=["enforce", "observe"])
def demo(request):
    return request.param, run_demo("--mode", request.param)


def test_the_demo_shows_every_request_with_reason_and_clause(demo):
    """Each request is answered as the policy says, and its span tells reason and clauses."""
    mode, ran = demo
    assert (ran.returncode, ran.stderr) == (0, "")
    shown = by_request(ran.stdout)
    assert list(shown) == [(method, path) for method, path, *_ in EXPECTED]
    for method, path, reason, clauses in EXPECTED:
        status, verdict, lines = shown[method, path]
        told = re.sub(r"\s+", " ", lines)
        if reason == "granted":
            assert (status, verdict) == (200, "permitted")
        elif mode == "enforce":
            assert (status, verdict) == (403, "BLOCKED")
            assert "ERROR" in told
            assert not re.search(r"^    data ", lines, re.MULTILINE)
        else:
            assert (status, verdict) == (200, "let through")
            assert "ERROR" not in told
            assert re.search(r"^    data ", lines, re.MULTILINE)
        assert f"reason={reason} " in told
        assert not clauses or f"clause={','.join(clauses)} " in told
        assert all(clause in told.partition(" span ")[0] for clause in clauses)
        if reason != "granted":
            event = "gap" if reason in GAPS else "violation"
            assert f"log purposeguard.{event}" in told


def test_the_demo_shows_access_spans_inside_the_requests_own(demo):
    """Each request has one server span, named after its route, with its accesses inside."""
    for (method, path), (_, _, lines) in by_request(demo[1].stdout).items():
        (server,) = re.findall(r"^    span  (.*)$", lines, re.MULTILINE)
        assert server.startswith(f"{method} /")
        assert re.sub(r"<.*?>", r"\\d+", server) == re.sub(r"\d+", r"\\d+", f"{method} {path}")
        assert re.search(
            r"^          └─ access [a-z_]+  repositories\.\w+\.\w+", lines, re.MULTILINE
        )


def test_the_demo_ends_with_a_summary(demo):
    """The last line counts the requests; before it stands what verifying the ledger came to."""
    last = demo[1].stdout.splitlines()[-1]
    assert "ledger: intact; 1 segment, 29 records, 0 lost, 0 refused" in demo[1].stdout
    if demo[0] == "enforce":
        assert last == f"29 requests: {len(PERMITTED)} permitted, {len(DENIED)} blocked"
    else:
        assert last.startswith(
            f"29 requests: {len(PERMITTED)} permitted, 0 blocked, {len(DENIED)} let through"
        )


def test_the_demo_fits_a_plain_terminal_and_names_nobody(demo, seeded):
    """No line is longer than 100 columns, none is coloured, none holds personal data."""
    output = demo[1].stdout
    assert max(map(len, output.splitlines())) <= 100
    assert "\033" not in output
    assert not leaks(output, seeded)


# --- the answers


@pytest.mark.parametrize(("method", "path", "reason", "clauses"), EXPECTED, ids=IDS)
def test_answers_and_records(app, method, path, reason, clauses):
    """What is permitted is answered, what isn't gets the problem document; both are recorded."""
    prepare(app, method, path)
    with capture(guard) as accesses:
        answer = fetch(app, method, path)
    (record,) = accesses
    assert (record.reason, list(record.decision.clauses)) == (reason, clauses)
    assert record.mode == "enforce"
    assert record.root is (reason != "purpose_undeclared")
    if reason == "granted":
        assert answer.status_code == 200
        assert answer.mimetype == "application/json"
        return
    assert answer.status_code == 403
    assert answer.mimetype == "application/problem+json"
    title = "can't be shown" if reason in GAPS else "does not permit"
    problem = answer.get_json()
    assert title in problem.pop("title")
    assert problem.pop("type").startswith("tag:hr.example,2026:")
    assert problem == {
        "status": 403,
        "detail": record.decision.explain(),
        "purpose": record.purpose,
        "category": record.category,
        "clause": clauses,
        "reason": reason,
    }


@pytest.mark.parametrize(("method", "path", "reason", "clauses"), DENIED, ids=IDS[len(PERMITTED) :])
def test_observing_returns_data_and_decides_the_same(observing, method, path, reason, clauses):
    """In observe mode what is out of purpose goes on, with the same decision on record."""
    prepare(observing, method, path)
    with capture(guard) as observed:
        answer = fetch(observing, method, path)
    assert answer.status_code == 200
    assert answer.get_json()
    guard.load(bundled_policy("smarthr"), mode="enforce")
    with capture(guard) as enforced:
        assert fetch(observing, method, path).status_code == 403
    assert observed[0].decision == enforced[0].decision
    assert observed[0].reason == reason
    assert (observed[0].mode, enforced[0].mode) == ("observe", "enforce")


def test_a_blocked_mailing_sends_nothing(app):
    """Mail leaves for what is permitted only."""
    for path in ("/reports/newsletter-to-candidates", "/reports/borrowed-openings"):
        fetch(app, "POST", path)
    assert outbox(app) == 0
    fetch(app, "POST", "/candidates/openings")
    assert outbox(app) == 6


def test_a_purpose_selects_its_columns(app):
    """The same function returns what each purpose may see of participants."""
    door, interests = (
        fetch(app, "GET", f"/events/1/{name}").get_json() for name in ("participants", "interests")
    )
    assert set(interests[0]) - set(door[0]) == {"usage_log"}
    assert len(door) == len(interests) == 3


def test_records_hold_people_as_keyed_hashes(app):
    """The same person has the same hash on every path, another person another one."""
    with capture(guard) as accesses:
        for path in (
            "/candidates/2/invitation",
            "/candidates/2/invitation",
            "/candidates/3/invitation",
        ):
            fetch(app, "POST", path)
        fetch(app, "GET", "/inquiries/1")
        fetch(app, "GET", "/admins/1/recommendations")
        fetch(app, "POST", "/events/1/co-host")
    second, again, third, inquiry, recommendations, guests = accesses
    assert second.subjects == again.subjects != third.subjects
    assert inquiry.subjects == recommendations.subjects
    assert len(inquiry.customers) == 1
    assert len(set(guests.subjects)) == 2
    assert all(len(each) == 32 for record in accesses for each in record.subjects)


def test_who_has_not_agreed_is_left_out(app):
    """The co-host gets those guests who have agreed, and no more once one of them withdraws."""
    assert [row["id"] for row in fetch(app, "POST", "/events/1/co-host").get_json()] == [1, 2]
    store = app.extensions["subjects"]
    store.consent_withdrawn(category="event_participant", subject=1, recipient="co_host")
    assert [row["id"] for row in fetch(app, "POST", "/events/1/co-host").get_json()] == [2]


def test_a_mandate_is_over_at_once(app):
    """The customer's data is not worked on any more, and nobody else's mandate stands in."""
    assert len(fetch(app, "GET", "/customers/1/payslips").get_json()) == 2
    app.extensions["subjects"].mandate_ended(1)
    assert fetch(app, "GET", "/customers/1/payslips").status_code == 403


def test_a_request_is_accepted_only_once_it_is_verified(app):
    """409 says why; then the suspension holds for this candidate, and for nobody else."""
    for step in STEPS[:1]:
        fetch(app, *step)
    refused = fetch(app, "POST", "/requests/2/acceptance")
    assert refused.status_code == 409
    assert refused.get_json()["type"] == "tag:hr.example,2026:not-now"
    assert "not verified" in refused.get_json()["detail"]
    assert fetch(app, "POST", "/candidates/3/invitation").status_code == 200
    for step in STEPS[1:3]:
        assert fetch(app, *step).status_code == 200
    assert fetch(app, *STEPS[3]).status_code == 403
    assert fetch(app, "POST", "/candidates/2/invitation").status_code == 200
    assert fetch(app, "POST", "/requests/2/verification").status_code == 409  # it is answered


def test_a_person_is_told_what_is_held_and_what_it_was_used_for(tmp_path, seeded):
    """Their own data, the purposes that the policy grants, and the accesses in the ledger."""
    with running(tmp_path / "hr.sqlite", mode="enforce", ledger=tmp_path / "ledger") as app:
        fetch(app, "POST", "/candidates/2/invitation")
        fetch(app, "POST", "/candidates/3/invitation")
        (told,) = fetch(app, "GET", "/requests/1/report").get_json()
        guard._exchange(lambda state: replace(state, ledger=None)).ledger.close()
    (held,) = told["held"]
    assert held["name"] == "Bram Puddlejump"
    now = {(use["purpose"], use["to"]): use["now"] for use in told["uses"]}
    titles = bundled_policy("smarthr").document.purposes
    assert now[titles["recruitment.contact"].title, None] == "granted"
    assert titles["marketing.information"].title not in {purpose for purpose, _ in now}
    assert [(each["purposes"], each["reason"]) for each in told["accesses"]] == [
        (["recruitment.contact"], "granted"),
        (["privacy.request_handling"], "granted"),
    ]
    assert not leaks(json.dumps([told["uses"], told["accesses"]]), seeded)


def test_nothing_is_found_and_nothing_is_denied_for_strangers(app):
    """Numbers that nobody has are answered like any other, without an error."""
    for method, path in (
        ("GET", "/jobs/99/shortlist"),
        ("POST", "/candidates/99/invitation"),
        ("GET", "/inquiries/99"),
        ("GET", "/events/99/participants"),
        ("POST", "/events/99/co-host"),
        ("GET", "/requests/99/report"),
        ("POST", "/requests/99/acceptance"),
    ):
        assert fetch(app, method, path).status_code == 200
    assert fetch(app, "GET", "/nowhere").status_code == 404


def test_no_view_stands_behind_its_guard(app):
    """Flask registered the guarded functions, not the raw ones behind them."""
    assert guard.find_unguarded(app.view_functions) == []
    rules = app.url_map.bind("")
    asked = {rules.match(path, method=method)[0] for method, path, *_ in EXPECTED}
    assert asked == set(app.view_functions) - {"static"}


def test_a_guard_above_the_route_would_be_caught(monkeypatch):
    """With the decorators the other way round the same look at the views finds the raw one."""
    wrong = Flask("wrong")

    @guard.purpose("recruitment.selection", root=True)
    @wrong.get("/")
    def view():
        return ""

    module, importer = ModuleType("wrong"), ModuleType("wrong_importer")
    module.view, importer.wrong = view, module
    monkeypatch.setitem(sys.modules, "wrong", module)
    monkeypatch.setitem(sys.modules, "wrong_importer", importer)
    assert guard.find_unguarded(wrong.view_functions) != []


# --- nothing personal


def test_everybody_is_made_up(seeded):
    """Every address is under `.example`, which is reserved for examples."""
    addresses = {value for value in seeded if "@" in value}
    assert len(addresses) == 14
    assert all(re.fullmatch(r"[a-z.]+@[a-z]+\.example", each) for each in addresses)


def test_denials_name_nobody(app, seeded):
    """What a refused client gets holds no name, address or other value; a permitted one does."""
    for step in STEPS[:3]:
        fetch(app, *step)
    for method, path, *_ in DENIED:
        answer = fetch(app, method, path)
        assert answer.status_code == 403
        assert not leaks(answer.get_data(as_text=True) + str(answer.headers), seeded)
    permitted = fetch(app, "GET", "/inquiries/1").get_data(as_text=True)
    assert "Gwen Saltwagon" in leaks(permitted, seeded)


TELEMETRY = """
import json, logging, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

logs = logging.StreamHandler(sys.stdout)
logs.setFormatter(logging.Formatter("%(name)s %(message)s %(purposeguard)s",
                                    defaults={"purposeguard": ""}))
logging.basicConfig(level=logging.DEBUG, handlers=[logs])
spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))
trace.set_tracer_provider(provider)
from hr_service import create_app
client = create_app(Path(sys.argv[2]), mode=sys.argv[3]).test_client()
for method, path in json.loads(sys.argv[4]):
    client.open(path, method=method)
for span in spans.get_finished_spans():
    print(span.to_json(indent=None))
"""


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_telemetry_names_nobody(tmp_path, seeded, mode):
    """Spans and log lines, written out in full, hold no personal value in either mode."""
    requests = json.dumps([(method, path) for method, path, *_ in EXPECTED])
    told = subprocess.run(
        [sys.executable, "-c", TELEMETRY, EXAMPLE, tmp_path / "hr.sqlite", mode, requests],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    assert told.stdout.count('"name": "access ') == len(EXPECTED)
    assert told.stdout.count("purposeguard.violation") >= 5
    assert "/candidates/2/invitation" not in told.stdout
    assert not leaks(told.stdout + told.stderr, seeded)


# --- threads


@contextmanager
def served(app):
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def ask(port, method, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        answer.read()
        return answer.status


def test_requests_at_once_are_answered_as_alone(app):
    """Requests of every kind, many at once through a real server, get their own answers."""
    requests = [row for row in EXPECTED if row[:2] not in STEPS] * 4
    with served(app) as port, capture(guard) as accesses, ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda row: ask(port, *row[:2]), requests))
    assert statuses == [200 if row[2] == "granted" else 403 for row in requests]
    assert sorted(record.reason for record in accesses) == sorted(row[2] for row in requests)


class NaiveGuard:
    """Keeps the purpose where every thread finds it."""

    current = None

    @contextmanager
    def purpose(self, name, **_):
        before, NaiveGuard.current = NaiveGuard.current, name
        yield
        NaiveGuard.current = before

    def touch(self):
        if not NaiveGuard.current.startswith("recruitment"):
            raise AccessDeniedError(guard.decide(Access("candidate")))


def touch_guarded():
    with guard.access("candidate", items=["name", "contact"]):
        pass


def statuses_of_crossing_requests(app, purpose, touch):
    """Ask under two purposes at once: no request touches data before all have declared theirs."""
    purposes = ["recruitment.contact", "marketing.information"] * 4
    together = threading.Barrier(len(purposes), timeout=60)

    @app.get("/crossing/<name>")
    def crossing(name):
        with purpose(name, root=True):
            together.wait()
            touch()
            together.wait()
        return ""

    @app.errorhandler(AccessDeniedError)
    def denied(_):
        together.wait()
        return "", 403

    with served(app) as port, ThreadPoolExecutor(len(purposes)) as pool:
        return list(pool.map(lambda name: ask(port, "GET", f"/crossing/{name}"), purposes))


def test_purposes_dont_cross_between_requests():
    """Each of eight requests inside their purposes at once is judged by its own alone."""
    guard.load(bundled_policy("smarthr"), mode="enforce")
    statuses = statuses_of_crossing_requests(Flask("crossing"), guard.purpose, touch_guarded)
    assert statuses == [200, 403] * 4


def test_a_naive_guard_would_be_caught():
    """The same requests through a guard with one purpose for all threads are mixed up."""
    naive = NaiveGuard()
    statuses = statuses_of_crossing_requests(Flask("naive"), naive.purpose, naive.touch)
    assert statuses != [200, 403] * 4


# --- the README of the example


def test_the_readme_lists_each_request():
    """The table has a row for each request of the demo, with status, reason and clauses."""
    text = (EXAMPLE / "README.md").read_text()
    rows = [
        [cell.strip() for cell in line.strip("| \n").split(" | ")]
        for line in text.splitlines()
        if line.startswith(("| `GET", "| `POST"))
    ]
    assert [row[:3] for row in rows] == [
        [f"`{method} {path}`", "200" if reason == "granted" else "403", f"`{reason}`"]
        for method, path, reason, _ in EXPECTED
    ]
    clauses = [row[3].split(", ") if row[3].startswith("H") else [] for row in rows]
    assert clauses == [row[3] for row in EXPECTED]


def test_the_readme_shows_the_problem_document(app):
    """The JSON in the README is what a client gets."""
    text = (EXAMPLE / "README.md").read_text()
    (shown,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert json.loads(shown) == fetch(app, "GET", "/reports/inquiries/1/activity").get_json()


def test_what_can_t_be_recorded_is_answered_503(tmp_path):
    """The client may ask again; no data and no name of a person is in the answer."""
    with running(tmp_path / "hr.sqlite", mode="enforce", ledger=tmp_path / "ledger") as app:
        ledger = guard.health().ledger
        assert ledger.failing is None
        state = guard._exchange(lambda state: state)
        try:
            assert fetch(app, "GET", "/visitors").status_code == 200
            state.ledger.close()
            response = fetch(app, "GET", "/visitors")
            assert response.status_code == 503
            assert response.json["type"] == "tag:hr.example,2026:not-recorded"
            assert "(closed)" in response.json["detail"]
        finally:
            guard._exchange(lambda state: replace(state, ledger=None))


def test_the_policy_is_the_bundled_one(app):
    """The service runs under SmartHR's policy as it ships."""
    assert guard.policy.digest == bundled_policy("smarthr").digest
