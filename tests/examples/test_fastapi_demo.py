"""The demo of the FastAPI example, and its README: what they show is what happens."""

import json
import re
import shlex
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from examples.fastapi_kit import (
    DENIED,
    EXAMPLE,
    EXPECTED,
    GAPS,
    PERMITTED,
    address,
    environment,
    fetch,
    ids,
    leaks,
    personal,
    running,
)

pytestmark = pytest.mark.once

README = (EXAMPLE / "README.md").read_text()
BIN = Path(sys.executable).parent

# --- the demo


def run_demo(*arguments):
    return subprocess.run(
        [sys.executable, "-W", "error", EXAMPLE / "demo.py", *arguments],
        capture_output=True,
        env=environment(),
        encoding="utf-8",
        timeout=120,
        check=False,
    )


def by_request(output):
    """What the demo printed about each request: its status and verdict, and the lines below."""
    head = re.compile(r"^ *\d+  (GET|POST|WS) +(\S+) .* (\d{3,4})  ([A-Za-z ]+)$", re.MULTILINE)
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
    assert list(map(" ".join, shown)) == ids(EXPECTED)
    for method, path, expected, reason, clauses in EXPECTED:
        status, verdict, lines = shown[method, path]
        told = re.sub(r"\s+", " ", lines)
        if reason == "granted":
            assert (status, verdict) == (expected, "permitted")
        elif mode == "enforce":
            assert (status, verdict) == (expected, "BLOCKED")
            assert "ERROR" in told
            assert not re.search(r"^    data ", lines, re.MULTILINE)
        else:
            assert (status, verdict) == (101 if method == "WS" else 200, "let through")
            assert "ERROR" not in told
            assert re.search(r"^    data ", lines, re.MULTILINE)
        assert f"reason={reason} " in told
        assert not clauses or f"clause={','.join(clauses)} " in told
        assert all(clause in told.partition(" span ")[0] for clause in clauses)
        if reason != "granted":
            event = "gap" if reason in GAPS else "violation"
            assert f"log purposeguard.{event}" in told


def test_the_demo_shows_access_spans_inside_the_requests_own(demo):
    """Each request has one server span, named after its route, with its accesses inside.

    Only what runs in a thread of a pool has a trace of its own.
    """
    for (method, path), (_, _, lines) in by_request(demo[1].stdout).items():
        spans = re.findall(r"^    span  (.*)$", lines, re.MULTILINE)
        place = r"access [a-z_]+  (repositories|services|payroll_api)\.\S+"
        if path == "/candidates/experience":
            assert re.match(place, spans.pop(0))
        else:
            assert re.search(rf"^ +└─ {place}", lines, re.MULTILINE)
        (server,) = spans
        route = re.sub(r"\d+", "{}", f"{method} {path}").replace("WS", "WEBSOCKET")
        assert re.sub(r"{.*?}", "{}", server) == route


def test_the_demo_shows_what_another_service_was_told(demo):
    """Its span stands inside the caller's, and names who has signed."""
    shown = by_request(demo[1].stdout)
    for path in ("/customers/1/pay-run", "/reports/customers/1/pay-run"):
        lines = shown["GET", path][2]
        assert re.search(
            r"└─ GET /customers/{customer_id}/pay-run\n.*\n +└─ access entrusted", lines
        )
        assert "issuer=hr-api" in lines


def test_the_demo_ends_with_a_summary(demo):
    """The last line counts the requests; before it stands what verifying the ledger came to."""
    last = demo[1].stdout.splitlines()[-1]
    count = f"{len(EXPECTED)} requests: {len(PERMITTED)} permitted"
    assert "ledger: intact; 1 segment, " in demo[1].stdout
    if demo[0] == "enforce":
        # What the other service judges is not in this one's ledger.
        assert f"{len(EXPECTED) - 2} records, 0 lost, 0 refused" in demo[1].stdout
        assert last == f"{count}, {len(DENIED)} blocked"
    else:
        assert last.startswith(f"{count}, 0 blocked, {len(DENIED)} let through")


def test_the_demo_fits_a_plain_terminal_and_names_nobody(demo, tmp_path):
    """No line is longer than 100 columns, none is coloured, none holds personal data."""
    output = demo[1].stdout
    assert max(map(len, output.splitlines())) <= 100
    assert "\033" not in output
    assert not leaks(output, personal(tmp_path))


def test_everybody_is_made_up(tmp_path):
    """Every address is under `.example`, which is reserved for examples."""
    addresses = {value for value in personal(tmp_path) if "@" in value}
    assert len(addresses) == 14
    assert all(re.fullmatch(r"[a-z.]+@[a-z]+\.example", each) for each in addresses)


# --- the README


def test_the_readme_lists_each_request():
    """The table has a row for each request of the demo, with status, reason and clauses."""
    rows = [
        [cell.strip() for cell in line.strip("| \n").split(" | ")]
        for line in README.splitlines()
        if line.startswith(("| `GET", "| `POST", "| `WS"))
    ]
    assert [row[:3] for row in rows] == [
        [f"`{method} {path}`", str(status), f"`{reason}`"]
        for method, path, status, reason, _ in EXPECTED
    ]
    clauses = [row[3].split(", ") if row[3].startswith("H") else [] for row in rows]
    assert clauses == [row[4] for row in EXPECTED]


def test_the_readme_shows_the_problem_document(tmp_path):
    """The JSON in the README is what a client gets."""
    (shown,) = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    with running(tmp_path) as client:
        answer = fetch(client, "GET", "/reports/inquiries/1/activity")
    assert json.loads(shown) == answer.body


def test_the_readme_names_each_file():
    """Each file of the service has its row, or shares one."""
    listed = README.partition("## The files")[2].partition("## The requests")[0]
    named = set(re.findall(r"`([^`]+)`", listed))
    for path in [*EXAMPLE.glob("*.py"), *(EXAMPLE / "hr_api").glob("[!_]*")]:
        shown = f"{path.relative_to(EXAMPLE)}{'/' if path.is_dir() else ''}"
        assert {shown, path.name} & named, shown


def commands(start):
    """Return the README's commands that begin so, after their variables."""
    lines = [
        line
        for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
        for line in block.splitlines()
    ]
    found = [line for line in lines if re.match(rf"(?:\w+=\S+ )*{re.escape(start)}", line)]
    assert found
    return found


def test_the_readmes_command_lists_the_routes(tmp_path):
    """And fails, since one route forgot its purpose."""
    (command,) = commands(".venv/bin/purposeguard routes")
    variables, _, rest = command.partition(".venv/bin/")
    folder = variables.removeprefix("PYTHONPATH=").strip()
    ran = subprocess.run(
        [BIN / "purposeguard", *shlex.split(rest)[1:]],
        capture_output=True,
        cwd=tmp_path,
        env=environment(PYTHONPATH=str(EXAMPLE.parents[1] / folder), COLUMNS="200"),
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    assert ran.returncode == 1, ran.stderr
    assert re.search(r"^GET /reports/everybody +none ", ran.stdout, re.MULTILINE)
    assert ran.stdout.count(" none ") == 1


@contextmanager
def started(command, folder, workers=1):
    """Run one of the README's servers on a free port, with its files in a folder of its own."""
    command = command.replace("/tmp/", f"{folder}/")
    words = shlex.split(command)
    variables = dict(word.split("=", 1) for word in words if re.match(r"[A-Z_]+=", word))
    arguments = words[len(variables) + 1 :]
    if "--port" in arguments:
        del arguments[arguments.index("--port") :][:2]
    told = folder / f"{len(list(folder.glob('*.log')))}.log"
    with (
        told.open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *arguments, "--port", "0"],
            env=environment(PURPOSEGUARD_SUBJECT_KEY="5a" * 32, **variables),
            cwd=EXAMPLE.parents[1],
            stderr=log,
            stdout=log,
        ) as server,
    ):
        try:
            yield address(told, server, workers)
        finally:
            server.terminate()
            assert server.wait(60) in (0, -15), told.read_text()


def test_the_readmes_commands_start_the_services(tmp_path):
    """With a key that openssl makes, and the number that the README promises."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    (make_key,) = commands("openssl")
    subprocess.run(
        make_key.replace("/tmp/", f"{tmp_path}/"), shell=True, check=True, capture_output=True
    )
    alone, several, payroll, told = commands(".venv/bin/uvicorn")
    (curl,) = commands("curl")
    with ExitStack() as stack:
        client = stack.enter_context(httpx.Client(trust_env=False, timeout=30))
        with started(alone, tmp_path) as url:
            answer = client.post(url + curl.rpartition("8000")[2])
            assert (answer.status_code, answer.json()) == (200, {"request": 2})
        with started(several, tmp_path, workers=4) as url:
            assert client.get(f"{url}/visitors").status_code == 200
        payroll_url = stack.enter_context(started(payroll, tmp_path))
        told = told.replace("http://127.0.0.1:8001", payroll_url)
        url = stack.enter_context(started(told, tmp_path))
        assert client.get(f"{url}/customers/1/pay-run").json()["shells"] == 618
        assert client.get(f"{url}/reports/customers/1/pay-run").json()["reason"] == "prohibited"
    (report,) = commands(".venv/bin/purposeguard ledger report")
    told = subprocess.run(
        [BIN / "purposeguard", *shlex.split(report.replace("/tmp/", f"{tmp_path}/"))[1:]],
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert "security.office_access" in told.stdout
