"""The FastAPI example: its answers, its records, and what its routes declare."""

import json
import sqlite3
import sys
from contextlib import closing

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from examples.fastapi_kit import (
    DENIED,
    EXPECTED,
    GAPS,
    PAYROLL,
    STEPS,
    create_app,
    fetch,
    guard,
    ids,
    leaks,
    payroll_running,
    personal,
    prepare,
    running,
)
from purposeguard import ScopeError, bundled_policy
from purposeguard.integrations.fastapi import FastAPIPurposes, adapters
from purposeguard.testing import capture, under


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


def guard_of(path, payroll):
    """Return the guard that judges a request."""
    return payroll[1].state.guard if path in PAYROLL else guard


def outbox(client):
    with closing(sqlite3.connect(client.app.state.settings.database)) as connection:
        return connection.execute("SELECT count(*) FROM outbox").fetchone()[0]


# --- the answers


@pytest.mark.parametrize(
    ("method", "path", "status", "reason", "clauses"), EXPECTED, ids=ids(EXPECTED)
)
def test_answers_and_records(client, payroll, method, path, status, reason, clauses):
    """Each request is answered as the policy says, and each access is recorded once."""
    prepare(client, method, path)
    with capture(guard) as here, capture(payroll[1].state.guard) as there:
        answer = fetch(client, method, path)
    (record,) = [*here, *there]
    assert bool(there) is (path in PAYROLL)
    assert (record.reason, list(record.decision.clauses)) == (reason, clauses)
    assert record.mode == "enforce"
    assert record.root
    assert record.carried is (path == "/candidates/experience")
    assert answer.status == status
    if status != 403:
        assert answer.body == (reason if status == 1008 else answer.body)
        return
    title = "can't be shown" if reason in GAPS else "does not permit"
    kind = "undecided" if reason in GAPS else "out-of-purpose"
    assert title in answer.body.pop("title")
    assert answer.body == {
        "type": f"urn:purposeguard:problem:{kind}",
        "status": 403,
        "detail": record.decision.explain(),
        "purpose": record.purpose,
        "category": record.category,
        "clause": clauses,
        "reason": reason,
    }


@pytest.mark.parametrize(("method", "path", "status", "reason", "clauses"), DENIED, ids=ids(DENIED))
def test_observing_returns_data_and_decides_the_same(
    client, payroll, method, path, status, reason, clauses
):
    """In observe mode what is out of purpose goes on, with the same decision on record."""
    prepare(client, method, path)
    judge = guard_of(path, payroll)
    with under(judge, mode="observe"), capture(judge) as observed:
        answer = fetch(client, method, path)
    assert answer.status in (200, 101)
    assert answer.body
    with capture(judge) as enforced:
        assert fetch(client, method, path).status == status
    assert observed[0].decision == enforced[0].decision
    assert (observed[0].mode, enforced[0].mode) == ("observe", "enforce")


def test_a_blocked_mailing_sends_nothing(client):
    """Mail leaves for what is permitted only."""
    for path in ("/reports/newsletter-to-candidates", "/reports/borrowed-openings"):
        fetch(client, "POST", path)
    assert outbox(client) == 0
    fetch(client, "POST", "/candidates/openings")
    assert outbox(client) == 6


def test_the_office_is_told_after_the_answer(client):
    """The background task has the purpose of its request, and nobody else's data."""
    assert fetch(client, "POST", "/visitors/2/arrival") == (202, None)
    with closing(sqlite3.connect(client.app.state.settings.database)) as connection:
        sent = connection.execute("SELECT address, text FROM outbox").fetchall()
    assert sent == [("office@hr.example", "Noor Tinwhistler is at the reception.")]


def test_a_purpose_selects_its_columns(client):
    """The same function returns what each purpose may see of participants."""
    door, interests = (
        fetch(client, "GET", f"/events/1/{name}").body for name in ("participants", "interests")
    )
    assert set(interests[0]) - set(door[0]) == {"usage_log"}
    assert len(door) == len(interests) == 3


def test_a_websocket_is_judged_at_each_question(client):
    """What is no longer permitted is not sent any more."""
    with client.websocket_connect("/visitors/live") as socket, capture(guard) as accesses:
        for _ in range(3):
            socket.send_text("now")
            assert len(socket.receive_json()) == 2
    assert [record.reason for record in accesses] == ["granted"] * 3


def test_records_hold_people_as_keyed_hashes(client):
    """The same person has the same hash on every path, also where only the columns' tags speak."""
    with capture(guard) as accesses:
        for number in (2, 3):
            fetch(client, "POST", f"/candidates/{number}/invitation")
            fetch(client, "GET", f"/candidates/{number}")
        fetch(client, "GET", "/inquiries/1")
        fetch(client, "GET", "/admins/1/recommendations")
        fetch(client, "POST", "/events/1/co-host")
    second, by_tags, third, third_by_tags, inquiry, recommendations, guests = accesses
    assert second.subjects == by_tags.subjects != third.subjects == third_by_tags.subjects
    assert inquiry.subjects == recommendations.subjects
    assert len(inquiry.customers) == 1
    assert len(set(guests.subjects)) == 2
    assert all(len(each) == 32 for record in accesses for each in record.subjects)


def test_who_has_not_agreed_is_left_out(client):
    """The co-host gets those guests who have agreed, and no more once one of them withdraws."""
    assert [row["id"] for row in fetch(client, "POST", "/events/1/co-host").body] == [1, 2]
    store = client.app.state.subjects.store
    store.consent_withdrawn(category="event_participant", subject=1, recipient="co_host")
    assert [row["id"] for row in fetch(client, "POST", "/events/1/co-host").body] == [2]


def test_a_mandate_is_over_at_once(client):
    """The customer's data is not worked on any more, and nobody else's mandate stands in."""
    assert len(fetch(client, "GET", "/customers/1/payslips").body) == 2
    client.app.state.subjects.store.mandate_ended(1)
    assert fetch(client, "GET", "/customers/1/payslips").status == 403


def test_a_request_is_accepted_only_once_it_is_verified(client):
    """409 says why; then the suspension holds for this candidate on every path, for nobody else."""
    assert fetch(client, *STEPS[0]).status == 200
    refused = fetch(client, "POST", "/requests/2/acceptance")
    assert (refused.status, refused.body["type"]) == (409, "tag:hr.example,2026:not-now")
    assert "not verified" in refused.body["detail"]
    assert fetch(client, "POST", "/candidates/3/invitation").status == 200
    for step in STEPS[1:3]:
        assert fetch(client, *step).status == 200
    assert fetch(client, *STEPS[3]).body["reason"] == "use_suspended"
    assert fetch(client, "GET", "/candidates/3").body["reason"] == "use_suspended"
    assert fetch(client, "POST", "/candidates/2/invitation").status == 200
    assert fetch(client, "POST", "/requests/2/verification").status == 409  # it is answered


def test_a_person_is_told_what_is_held_and_what_it_was_used_for(tmp_path, seeded):
    """Their own data, the purposes that the policy grants, and the accesses in the ledger."""
    with running(tmp_path, ledger=tmp_path / "ledger") as client:
        fetch(client, "POST", "/candidates/2/invitation")
        fetch(client, "POST", "/candidates/3/invitation")
        (told,) = fetch(client, "GET", "/requests/1/report").body
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


def test_nothing_is_found_and_nothing_is_denied_for_strangers(client):
    """Numbers that nobody has are answered like any other, without an error."""
    for method, path in (
        ("GET", "/jobs/99/shortlist"),
        ("POST", "/candidates/99/invitation"),
        ("GET", "/inquiries/99"),
        ("GET", "/events/99/participants"),
        ("GET", "/jobs/99/applicants.csv"),
        ("POST", "/events/99/co-host"),
        ("GET", "/requests/99/report"),
        ("POST", "/requests/99/acceptance"),
    ):
        assert fetch(client, method, path).status == 200, path
    assert fetch(client, "POST", "/visitors/99/arrival").status == 202
    assert fetch(client, "GET", "/candidates/99").status == 404
    assert fetch(client, "GET", "/nowhere").status == 404


def test_what_can_t_be_recorded_is_answered_503(tmp_path, seeded):
    """The client may ask again; no data and no name of a person is in the answer."""
    with running(tmp_path, ledger=tmp_path / "ledger") as client:
        assert fetch(client, "GET", "/visitors").status == 200
        guard._exchange(lambda state: state).ledger.close()
        for path in ("/visitors", "/candidates/2", "/candidates/experience", "/requests/1/report"):
            answer = fetch(client, "GET", path)
            assert (answer.status, answer.body["reason"]) == (503, "granted"), path
            assert answer.body["type"] == "urn:purposeguard:problem:not-recorded"
            assert not leaks(json.dumps(answer.body), seeded)


# --- what is declared


def test_each_route_declares_what_it_is_for_but_one(tmp_path):
    """Every route is asked by the tests, none passes a guard by, one forgot its purpose."""
    (adapter,) = adapters(create_app(tmp_path / "hr.sqlite"))
    adapter.check()
    declared = [each for each in adapter.declared() if not each.own]
    assert [each.name for each in declared if each.purpose is None] == ["GET /reports/everybody"]
    assert len(declared) == len({each.name for each in declared}) == len(EXPECTED) - 3
    # Three paths are asked for two people or customers each: an invitation, payslips, an audience.


def test_the_document_says_what_each_operation_is_for(client):
    """`x-purpose` is in OpenAPI, the route's where it differs from the router's."""
    document = client.get("/openapi.json").json()
    purposes = {
        f"{method.upper()} {path}": operation.get("x-purpose")
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert [name for name, purpose in purposes.items() if purpose is None] == [
        "GET /reports/everybody"
    ]
    assert purposes["GET /jobs/{job_id}/shortlist"] == "recruitment"
    assert purposes["GET /candidates/experience"] == "recruitment.statistics"
    assert len(purposes) == len(EXPECTED) - 5  # two are WebSockets


def test_a_guard_above_the_route_keeps_the_app_from_serving(monkeypatch):
    """With the decorators the other way round FastAPI has the raw function."""
    wrong = FastAPI()
    FastAPIPurposes(guard).install(wrong)

    @guard.purpose("recruitment.selection")
    @wrong.get("/")
    def endpoint():
        return ""

    monkeypatch.setattr(sys.modules[__name__], "endpoint", endpoint, raising=False)
    with pytest.raises(ScopeError, match="endpoint"):
        TestClient(wrong).get("/")


def test_the_policy_is_the_bundled_one(client):
    """The service runs under SmartHR's policy as it ships."""
    assert guard.policy.digest == bundled_policy("smarthr").digest
