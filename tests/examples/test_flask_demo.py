"""The Flask example's demo and README: what is shown is what happens."""

import json
import os
import re
import subprocess
import sys

import pytest

from examples.flask_kit import (
    DENIED,
    EXAMPLE,
    EXPECTED,
    GAPS,
    JOBS,
    PERMITTED,
    fetch,
    leaks,
    personal_values,
    running,
)

pytestmark = pytest.mark.once


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


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    return personal_values(tmp_path_factory.mktemp("seeded"))


@pytest.fixture(scope="module", params=["enforce", "observe"])
def demo(request):
    return request.param, run_demo("--mode", request.param)


def test_the_demo_shows_every_request_with_reason_and_clause(demo):
    """Each request is answered as the policy says, and its span tells reason and clauses."""
    mode, ran = demo
    assert (ran.returncode, ran.stderr) == (0, "")
    shown = by_request(ran.stdout)
    assert list(shown) == [(method, path) for method, path, *_ in EXPECTED + JOBS]
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


def test_the_demo_shows_what_the_worker_has_recorded(demo):
    """Each job is the worker's to do, for the purpose that it was handed, or for none."""
    mode, ran = demo
    shown = by_request(ran.stdout)
    done = {"enforce": "BLOCKED", "observe": "let through"}[mode]
    for method, path, reason, clauses in JOBS:
        status, verdict, lines = shown[method, path]
        told = re.sub(r"\s+", " ", lines)
        assert (status, verdict) == (202, "permitted" if reason == "granted" else done)
        assert ("sent: 3, state: SUCCESS" in told) is (verdict != "BLOCKED")
        assert f"reason={reason} " in told
        assert ("issuer=" in told) is (reason == "granted")
        assert not clauses or f"clauses={','.join(clauses)} " in told


def test_the_demo_shows_access_spans_inside_the_requests_own(demo):
    """Each request has one server span, named after its route, with its accesses inside."""
    shown = by_request(demo[1].stdout)
    for method, path, *_ in EXPECTED:
        lines = shown[method, path][2]
        (server,) = re.findall(r"^    span  (.*)$", lines, re.MULTILINE)
        assert server.startswith(f"{method} /")
        assert re.sub(r"<.*?>", r"\\d+", server) == re.sub(r"\d+", r"\\d+", f"{method} {path}")
        inside = r"^          └─ access [a-z_]+  repositories\.\w+\.\w+"
        assert re.search(inside, lines, re.MULTILINE)


def test_the_demo_ends_with_a_summary(demo):
    """The last line counts the requests; before it stands what verifying the ledger came to."""
    last = demo[1].stdout.splitlines()[-1]
    assert "ledger: intact; 2 segments, 31 records, 0 lost, 0 refused" in demo[1].stdout
    if demo[0] == "enforce":
        assert last == f"31 requests: {len(PERMITTED) + 1} permitted, {len(DENIED) + 1} blocked"
    else:
        assert last.startswith(
            f"31 requests: {len(PERMITTED) + 1} permitted, 0 blocked, {len(DENIED) + 1} let through"
        )


def test_the_demo_fits_a_plain_terminal_and_names_nobody(demo, seeded):
    """No line is longer than 100 columns, none is coloured, none holds personal data."""
    output = demo[1].stdout
    assert max(map(len, output.splitlines())) <= 100
    assert "\033" not in output
    assert not leaks(output, seeded)


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
    ] + [[f"`{method} {path}`", "202", f"`{reason}`"] for method, path, reason, _ in JOBS]
    clauses = [row[3].split(", ") if row[3].startswith("H") else [] for row in rows]
    assert clauses == [row[3] for row in EXPECTED + JOBS]


def test_the_readme_shows_the_problem_document(tmp_path):
    """The JSON in the README is what a client gets."""
    text = (EXAMPLE / "README.md").read_text()
    (shown,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    with running(tmp_path / "hr.sqlite", mode="enforce") as app:
        answer = fetch(app, "GET", "/reports/inquiries/1/activity")
    assert json.loads(shown) == answer.get_json()
