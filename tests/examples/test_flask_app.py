"""The Flask example: its answers, and that nothing personal is left behind."""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace

import pytest
from flask import Flask
from werkzeug.serving import make_server

from examples.flask_kit import (
    DENIED,
    EXAMPLE,
    EXPECTED,
    GAPS,
    IDS,
    JOBS,
    PERMITTED,
    STEPS,
    fetch,
    guard,
    leaks,
    outbox,
    personal_values,
    prepare,
    running,
)
from purposeguard import Access, AccessDeniedError, bundled_policy
from purposeguard.integrations.flask import FlaskPurposes
from purposeguard.testing import capture


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
    return personal_values(tmp_path_factory.mktemp("seeded"))


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
    assert record.root
    if reason == "granted":
        assert answer.status_code == 200
        assert answer.mimetype == ("text/csv" if path.endswith(".csv") else "application/json")
        return
    assert answer.status_code == 403
    assert answer.mimetype == "application/problem+json"
    title = "can't be shown" if reason in GAPS else "does not permit"
    problem = answer.get_json()
    assert title in problem.pop("title")
    assert problem.pop("type").startswith("urn:purposeguard:problem:")
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


def test_every_view_is_asked(app):
    """The table of this file has each of the service's views."""
    rules = app.url_map.bind("")
    asked = {rules.match(path, method=method)[0] for method, path, *_ in EXPECTED + JOBS}
    assert asked | {"static", "marketing.mailing"} == set(app.view_functions)


def test_each_view_declares_what_it_is_for(tmp_path):
    """`flask purposeguard routes` lists them; with `--require` it fails for those that forgot."""
    told = flask_routes(tmp_path)
    assert told.returncode == 0
    assert re.search(
        r"^GET /jobs/<int:job_id>/shortlist +recruitment +blueprint", told.stdout, re.MULTILINE
    )
    assert re.search(
        r"^GET /events/<int:event_id>/interests +analytics +view ", told.stdout, re.MULTILINE
    )
    silent = re.findall(r"^\S+ (\S+) +none ", told.stdout, re.MULTILINE)
    assert silent == ["/reports/everybody", "/reports/reminder"]
    last = told.stdout.splitlines()[-1]
    assert f"`{last}`" in (EXAMPLE / "README.md").read_text()
    assert flask_routes(tmp_path, "--require").returncode == 1


def flask_routes(folder, *options):
    command = [sys.executable, "-m", "flask", "--app", "hr_service", "purposeguard", "routes"]
    environment = {
        **os.environ,
        "COLUMNS": "200",
        "HR_DATABASE": str(folder / "hr.sqlite"),
        "PURPOSEGUARD_SUBJECT_KEY": "5a" * 32,
    }
    return subprocess.run(
        [*command, *options],
        cwd=EXAMPLE,
        env=environment,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


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
app = create_app(Path(sys.argv[2]), mode=sys.argv[3])
app.extensions["celery"].conf.task_always_eager = True
client = app.test_client()
for method, path in json.loads(sys.argv[4]):
    client.open(path, method=method, buffered=True)
for span in spans.get_finished_spans():
    print(span.to_json(indent=None))
"""


@pytest.mark.parametrize("mode", ["enforce", "observe"])
def test_telemetry_names_nobody(tmp_path, seeded, mode):
    """Spans and log lines, written out in full, hold no personal value in either mode."""
    requests = json.dumps([(method, path) for method, path, *_ in EXPECTED + JOBS])
    told = subprocess.run(
        [sys.executable, "-c", TELEMETRY, EXAMPLE, tmp_path / "hr.sqlite", mode, requests],
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=True,
    )
    assert told.stdout.count('"name": "access ') == len(EXPECTED + JOBS)
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

    def declare(self, purpose):
        def decorate(view):
            def declared():
                before, NaiveGuard.current = NaiveGuard.current, purpose
                try:
                    return view()
                finally:
                    NaiveGuard.current = before

            return declared

        return decorate

    def touch(self):
        if not NaiveGuard.current.startswith("recruitment"):
            raise AccessDeniedError(guard.decide(Access("candidate")))


def touch_guarded():
    with guard.access("candidate", items=["name", "contact"]):
        pass


def statuses_of_crossing_requests(app, declare, touch):
    """Ask under two purposes at once: no request touches data before all have declared theirs."""
    purposes = ["recruitment.contact", "marketing.information"]
    together = threading.Barrier(8, timeout=60)
    for purpose in purposes:

        def crossing():
            together.wait()
            touch()
            together.wait()
            return ""

        app.add_url_rule(f"/{purpose}", purpose, declare(purpose)(crossing))

    @app.errorhandler(AccessDeniedError)
    def denied(_):
        together.wait()
        return "", 403

    with served(app) as port, ThreadPoolExecutor(8) as pool:
        return list(pool.map(lambda name: ask(port, "GET", f"/{name}"), purposes * 4))


def test_purposes_dont_cross_between_requests():
    """Each of eight requests at once is judged by the purpose of its own view alone."""
    guard.load(bundled_policy("smarthr"), mode="enforce")
    app = Flask("crossing")
    purposes = FlaskPurposes(guard, app)
    assert statuses_of_crossing_requests(app, purposes, touch_guarded) == [200, 403] * 4


def test_a_naive_guard_would_be_caught():
    """The same requests through a guard with one purpose for all threads are mixed up."""
    naive = NaiveGuard()
    statuses = statuses_of_crossing_requests(Flask("naive"), naive.declare, naive.touch)
    assert statuses != [200, 403] * 4


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
            assert response.json["type"] == "urn:purposeguard:problem:not-recorded"
            assert "(closed)" in response.json["detail"]
        finally:
            guard._exchange(lambda state: replace(state, ledger=None))


def test_the_policy_is_the_bundled_one(app):
    """The service runs under SmartHR's policy as it ships."""
    assert guard.policy.digest == bundled_policy("smarthr").digest
