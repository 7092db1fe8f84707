"""The Flask example's background job and its streamed file: both keep the purpose of their view."""

import base64
import json
import os
import subprocess
import sys
import time

import pytest

from examples.flask_kit import (
    EXAMPLE,
    JOBS,
    SUBJECT_KEY,
    TASK_KEY,
    fetch,
    guard,
    leaks,
    outbox,
    personal_values,
    recruiting,
    running,
)
from purposeguard import AccessDeniedError, OutOfPurposeError
from purposeguard.testing import capture


@pytest.fixture
def app(tmp_path):
    with running(tmp_path / "hr.sqlite", mode="enforce") as made:
        yield made


@pytest.fixture
def eager(app):
    """The app, whose jobs are done where they are handed over."""
    app.extensions["celery"].conf.task_always_eager = True
    return app


# --- the background job


@pytest.mark.parametrize(("method", "path", "reason", "clauses"), JOBS)
def test_a_job_has_the_purpose_of_its_view(eager, method, path, reason, clauses):
    """It sends mail for the view that says why, and nothing for the one that forgot."""
    with capture(guard) as accesses:
        answer = fetch(eager, method, path)
    (record,) = accesses
    assert (answer.status_code, list(answer.get_json())) == (202, ["mailing"])
    assert (record.reason, list(record.decision.clauses)) == (reason, clauses)
    assert outbox(eager) == (3 if reason == "granted" else 0)


def test_the_message_holds_a_signed_purpose_and_nothing_personal(app, tmp_path):
    """Its token says what the view is for; the view that forgot hands none over."""
    seeded = personal_values(tmp_path)
    for method, path, *_ in JOBS:
        assert fetch(app, method, path).status_code == 202
    purposes = {}
    for file in (tmp_path / "hr.queue" / "messages").iterdir():
        message = json.loads(file.read_text())
        body = base64.b64decode(message["body"]).decode()
        assert not leaks(body + json.dumps(message), seeded)
        purposes[json.loads(body)[0][0]] = stated(message["headers"].get("Purposeguard-Purpose"))
    assert purposes == {
        "here is our news.": ["marketing.information"],
        "have you seen our news?": None,
    }


def stated(token):
    """Return the purposes that a token states, if there is one."""
    if token is None:
        return None
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["purposes"]


@pytest.mark.parametrize(
    ("key", "state", "sent"),
    [(TASK_KEY.decode(), "SUCCESS", 3), ("another key of the tests, no secret", "FAILURE", 0)],
    ids=["the same key", "another key"],
)
def test_a_worker_believes_the_service_only(app, tmp_path, key, state, sent):
    """A real worker sends the newsletter; with another key it knows of no purpose."""
    asked = f"/mailings/{fetch(app, 'POST', '/newsletter').get_json()['mailing']}"
    assert fetch(app, "GET", asked).get_json() == {"state": "PENDING"}
    environment = {
        **os.environ,
        "HR_DATABASE": str(tmp_path / "hr.sqlite"),
        "HR_TASK_KEY": key,
        "PURPOSEGUARD_SUBJECT_KEY": SUBJECT_KEY.decode(),
    }
    command = [sys.executable, "-m", "celery", "--workdir", str(EXAMPLE), "--app"]
    command += ["hr_service.worker", "worker", "--concurrency", "1"]
    told = tmp_path / "worker.log"
    with told.open("w") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        end = time.monotonic() + 120
        while (answer := fetch(app, "GET", asked).get_json()) == {"state": "PENDING"}:
            assert worker.poll() is None, told.read_text()
            assert time.monotonic() < end, told.read_text()
            time.sleep(0.1)
    finally:
        worker.terminate()
        worker.wait(120)
    assert answer["state"] == state
    assert answer.get("sent", 0) == outbox(app) == sent
    assert ("purposeguard.gap" in told.read_text()) is (state == "FAILURE")
    assert not leaks(told.read_text(), personal_values(tmp_path / "other"))


def test_nobody_knows_of_other_mailings(app):
    """A number that was never given out is pending for ever, and what is no number isn't found."""
    stranger = "00000000-0000-4000-8000-000000000000"
    assert fetch(app, "GET", f"/mailings/{stranger}").get_json() == {"state": "PENDING"}
    assert fetch(app, "GET", "/mailings/one").status_code == 404


# --- the file that is streamed


def test_a_streamed_file_keeps_the_purpose_of_its_view(app):
    """Its rows are read after the view has returned, as one access."""
    with capture(guard) as accesses:
        answer = app.test_client().get("/jobs/1/applicants.csv", buffered=False)
        lines = iter(answer.response)
        assert next(lines) == b"id,name,work_history\r\n"
        assert len(list(lines)) == 4
        answer.close()
    (record,) = accesses
    assert record.reason == "granted"
    assert record.chain == ("recruitment", "recruitment.selection")


def test_a_streamed_file_ends_with_its_request(app):
    """Who goes away early gets no more rows: the purpose is over with the connection."""
    kept = []
    make = recruiting.candidates.each_applicant

    def keeping(job_id):
        kept.append(make(job_id))
        return kept[0]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(recruiting.candidates, "each_applicant", keeping)
        answer = app.test_client().get("/jobs/1/applicants.csv", buffered=False)
        lines = iter(answer.response)
        next(lines)
        next(lines)
        answer.close()
    with guard.purpose("recruitment.selection"), pytest.raises(AccessDeniedError) as denied:
        next(kept[0])
    assert denied.value.decision.reason == "purpose_closed"


def test_a_file_is_denied_before_a_line_is_sent(app):
    """Whoever calls recruiting's code for another purpose gets no stream at all."""
    with guard.purpose("marketing.information"), pytest.raises(OutOfPurposeError):
        recruiting.applicants_as_csv(1)
