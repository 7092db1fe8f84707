"""`purposeguard ledger report`: what it counts, whatever state the ledger's files are in."""

import html
import json
import os
import pty
import subprocess
import sys
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path

import pytest
from ledger_kit import ELSEWHERE as MARKETING
from ledger_kit import POLICY, PURPOSE, Service
from ledger_texts import BEGAN, DIGEST, GAP, VIOLATION, Journal, members, mixture, stamp

from cli.command_line import CLEAN, refused, run, spawn
from effort import effort
from purposeguard import Guard, Ledger, OutOfPurposeError, bundled_policy
from purposeguard.queries.relation import reading
from purposeguard.queries.segments import find_segments

DAY = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOSTILE = """<script>alert('x')</script>"><img src=x onerror=y> {{ 7*7 }} [red]\x1b[31m\u202e"""
ELSEWHERE = {"function": "newsletter", "file": "/srv/hr_service/routes/marketing.py", "line": 7}


def report(directory, *more):
    """Return the report as JSON."""
    result = run("ledger", "report", directory, "--format", "json", *more)
    assert (result.status, result.err) == (0, "")
    return json.loads(result.out)


@pytest.fixture
def ledger(tmp_path):
    """A small ledger, countable by hand: two processes, of which one was killed."""
    directory = tmp_path / "ledger"
    first = Journal(directory)
    first.policy()
    for minute in range(3):
        first.access(at=DAY + timedelta(minutes=minute))
    first.access(VIOLATION, ELSEWHERE, at=DAY + timedelta(hours=1))
    first.rotate()
    first.policy()
    first.access(VIOLATION, ELSEWHERE, at=DAY + timedelta(hours=2))
    first.access(VIOLATION, {"mode": "observe"}, at=DAY + timedelta(hours=3))
    first.access(GAP, {"policy": None}, at=DAY + timedelta(hours=4))
    first.lost(5, refused=2)
    first.close()
    other = Journal(directory, host="beta", process=12, digits="00000001")
    other.policy("f" * 64, "smarthr", "2026-12")
    other.access({"category": "visitor", "policy": "f" * 12}, at=DAY - timedelta(hours=1))
    other.access(kind="refused", at=DAY + timedelta(hours=5))
    other.recovered(b'{"seq":5,"ki')
    return directory


def test_counts_by_hand(ledger):
    """Every total, cell, place, loss, policy and segment is as it was written."""
    found = report(ledger)
    totals = ("accesses", "permits", "violations", "gaps", "refused", "lost", "broken")
    assert [found[each] for each in totals] == [8, 4, 3, 1, 3, 5, 0]
    assert (found["first_seen"], found["last_seen"]) == (
        "2026-11-25T11:00:00Z",
        "2026-11-25T17:00:00Z",
    )
    cells = {
        (each["category"], each["purpose"], each["outcome"], each["reason"], each["mode"]): (
            each["accesses"],
            each["refused"],
            each["first_seen"][11:16],
            each["last_seen"][11:16],
        )
        for each in found["cells"]
    }
    selection, marketing = "recruitment.selection", "marketing.information"
    assert cells == {
        ("candidate", "", "gap", "purpose_undeclared", "enforce"): (1, 0, "16:00", "16:00"),
        ("candidate", marketing, "violation", "not_granted", "enforce"): (2, 0, "13:00", "14:00"),
        ("candidate", marketing, "violation", "not_granted", "observe"): (1, 0, "15:00", "15:00"),
        ("candidate", selection, "permit", "granted", "enforce"): (3, 1, "12:00", "17:00"),
        ("visitor", selection, "permit", "granted", "enforce"): (1, 0, "11:00", "11:00"),
    }
    places = [(each["function"], each["line"], each["accesses"]) for each in found["sites"]]
    load = "CandidateRepository.load"
    assert places == [("newsletter", 7, 2), (load, 42, 1), (load, 42, 1)]
    (loss,) = found["losses"]
    assert (loss["lost"], loss["refused"], loss["cause"], loss["host"]) == (5, 2, "ENOSPC", "alpha")
    assert (loss["seq"], loss["since"], loss["time"]) == (
        13,
        "2026-11-25T08:14:00.123456Z",
        "2026-11-25T08:15:00.123456Z",
    )
    policies = {each["policy"]: each for each in found["policies"]}
    assert {key: each["accesses"] for key, each in policies.items()} == {
        "": 1,
        DIGEST[:12]: 7,
        "f" * 12: 1,
    }
    assert policies["f" * 12]["version"] == "2026-12"
    assert policies[DIGEST[:12]]["digest"] == DIGEST
    assert policies[""]["name"] == ""
    ends = [
        (each["host"], each["process"], each["closed"], each["recovered"], each["torn_bytes"])
        for each in found["segments"]
    ]
    assert sorted(ends) == [
        ("alpha", 4711, "closed", 0, 0),
        ("alpha", 4711, "rotated", 0, 0),
        ("beta", 12, "", 1, 12),
    ]


def test_many_accesses_are_counted_like_by_another_hand(tmp_path):
    """Over a mixture of accesses the counts are those of a Counter, whatever way they were cut."""
    count = effort(4_000, 40_000, 400_000)
    written = list(islice(mixture(7), count))
    for process in range(2):
        journal = Journal(tmp_path, process=process, digits=f"0000000{process}")
        for part in range(2):
            share = written[process * 2 + part :: 4]
            journal.many(map(members, share), len(share))
            journal.rotate()
    keys = ("category", "purpose", "outcome", "reason", "mode")
    found = report(tmp_path)
    expected = Counter(tuple(each[key] for key in keys) for each in written)
    assert {tuple(each[key] for key in keys): each["accesses"] for each in found["cells"]} == dict(
        expected
    )
    keys = (*keys, "service", "function", "file", "line")
    denied = Counter(
        tuple(each[key] for key in keys) for each in written if each["outcome"] != "permit"
    )
    assert {tuple(each[key] for key in keys): each["accesses"] for each in found["sites"]} == dict(
        denied
    )


def test_a_ledger_that_a_guard_is_writing(tmp_path):
    """What a real guard records is in the report at once, while its ledger is open."""
    with Ledger(tmp_path / "ledger") as ledger:
        guard = Guard(bundled_policy("smarthr"), mode="observe", ledger=ledger, service="hr")
        load = guard.access("candidate", items=["name"])(lambda: None)
        for purpose, times in (("recruitment.selection", 3), ("marketing.information", 2)):
            with guard.purpose(purpose):
                for _ in range(times):
                    load()
        load()
        found = report(tmp_path / "ledger")
        lines = run("ledger", "tail", tmp_path / "ledger").lines
    totals = ("accesses", "permits", "violations", "gaps", "refused", "lost", "broken")
    assert [found[each] for each in totals] == [6, 3, 2, 1, 0, 0, 0]
    (policy,) = found["policies"]
    assert (policy["name"], policy["accesses"]) == ("smarthr", 6)
    assert {(each["service"], Path(each["file"]).name) for each in found["sites"]} == {
        ("hr", Path(__file__).name)
    }
    (segment,) = found["segments"]
    assert (segment["process"], segment["closed"]) == (os.getpid(), "")
    assert [line[25:].split()[0] for line in lines] == [
        *("open", "policy"),
        *("permit",) * 3,
        *("violation",) * 2,
        "gap",
    ]


# --- Broken files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 10, 40, 200, 400])
def test_a_half_written_last_line_stops_nothing(ledger, cut):
    """The last line of a segment that is being written is told as unreadable, the rest counted."""
    journal = Journal(ledger, process=9, digits="00000009")
    journal.access()
    whole = journal.path.read_bytes()
    journal.access()
    journal.path.write_bytes(journal.path.read_bytes()[: len(whole) + cut])
    found = report(ledger)
    assert (found["accesses"], found["broken"]) == (9, 1)


@pytest.mark.parametrize(
    "damage",
    [
        b"hello\n",
        b'{"seq":7,"kind":"acc\n',
        b"\0" * 5_000 + b"\n",
        b'{"seq":7,"kind":"\xff\xfe"}\n',
        b"[1, 2]\n",
        b"null\n",
        b'{"kind":"access","category":"candidate"}\n',
        b'{"seq":"x","kind":"access","time":"2026-11-25T08:14:55.123456Z"}\n',
        b'{"seq":7,"kind":"access","time":"yesterday"}\n',
        b'{"seq":7,"kind":"unheard","time":"2026-11-25T08:14:55.123456Z"}\n',
        b'{"seq":7,"kind":"access","time":"12026-11-25T08:14:55.123456Z"}\n',
        b'{"seq":7,"kind":"access","time":"infinity"}\n',
        b'{"seq":7,"kind":"access","time":"0044-03-15 (BC)"}\n',
        b'{"seq":7,"kind":"access"}{"seq":8}\n',
        b"[" * 100_000 + b"\n",
    ],
)
def test_a_damaged_line_is_counted_and_stops_nothing(ledger, damage):
    """Damage in the middle is one unreadable line; everything around it is counted."""
    journal = Journal(ledger, process=9, digits="00000009")
    journal.access()
    journal.raw(damage)
    journal.access()
    for more in ((), ("--since", "2000-01-01")):
        found = report(ledger, *more)
        assert (found["accesses"], found["broken"]) == (10, 1)
    assert "see `purposeguard ledger verify`" in run("ledger", "report", ledger).out


@pytest.mark.parametrize("last", [b"", b"\n"])
@pytest.mark.parametrize("megabytes", [15, 24, 33])
def test_damage_without_line_feeds_is_one_line(ledger, megabytes, last):
    """A stretch of zeros that is longer than what DuckDB takes for a line stops nothing."""
    journal = Journal(ledger, process=9, digits="00000009")
    journal.access()
    journal.raw(b"\0" * (megabytes * 1024 * 1024) + last)
    found = report(ledger)
    assert (found["accesses"], found["broken"]) == (9, 1)


@pytest.mark.parametrize("start", [0, 1, 7, 50, 63])
@pytest.mark.parametrize("length", [64, 65, 100])
def test_long_lines_are_never_overlooked(tmp_path, start, length):
    """Wherever a line of more bytes than asked for begins, the few looks at the file find it."""
    path = tmp_path / "20261125T081455.123456Z-1-00000000-000001.jsonl"
    for end in (b"", b"\n", b"\n" + b"y\n" * 40):
        path.write_bytes(b"\n" * start + b"x" * length + end)
        (segment,) = find_segments(tmp_path)
        assert segment.may_hold_line_over(length - 1)
    path.write_bytes((b"x" * 20 + b"\n") * 30)
    assert not segment.may_hold_line_over(64)


def test_times_out_of_range_are_left_out(ledger):
    """A loss since a time that no calendar has is a loss nevertheless."""
    journal = Journal(ledger, process=9, digits="00000009")
    counts = {"count": 2, "refused": 1, "cause": "EIO"}
    journal.line("lost", {**counts, "since": "12026-11-25T08:14:55.123456Z"})
    found = report(ledger)
    assert (found["lost"], found["refused"], found["broken"]) == (7, 4, 0)
    assert "EIO" in run("ledger", "report", ledger).out


def test_values_of_other_types_are_no_obstacle(ledger):
    """A whole line with values that no writer writes is counted by what can be read of it."""
    journal = Journal(ledger, process=9, digits="00000009")
    journal.access({"category": {"a": 1}, "line": "x", "items": 5, "root": "maybe", "purpose": 9})
    found = report(ledger)
    assert found["accesses"] == 9
    assert [each["purpose"] for each in found["cells"]].count("9") == 1


def test_other_files_and_empty_segments_are_left_alone(ledger):
    """Only segments are read: no reserve, no bytes set aside, nothing by another name."""
    before = report(ledger)
    segment = next(ledger.glob("*.jsonl"))
    for name in (
        "notes.jsonl",
        f"{segment.stem}.reserve",
        f"{segment.name}.torn-1",
        "x-000001.jsonl",
    ):
        (ledger / name).write_bytes(segment.read_bytes())
    empty = segment.name.replace("-000001", "-000009")
    (ledger / empty).write_bytes(b"")
    (ledger / empty.replace("-000009", "-000010")).write_bytes(b"\n" * 4096)
    assert report(ledger) == before


def test_a_segment_without_its_first_line_still_counts(ledger):
    """Where the first line is damaged the host is unknown, and nothing else."""
    journal = Journal(ledger, process=9, digits="00000009")
    journal.access()
    journal.path.write_bytes(b"x" + journal.path.read_bytes())
    found = report(ledger)
    assert (found["accesses"], found["broken"]) == (9, 1)
    (segment,) = (each for each in found["segments"] if each["process"] == 9)
    assert (segment["host"], segment["accesses"]) == ("", 1)


@pytest.mark.parametrize("name", ["a b", "it's", "x[1]", "st*r", "wh?t", "k=v", "日本", "~x"])
def test_a_directory_may_have_any_name(tmp_path, monkeypatch, name):
    """The directory's name is no pattern, and a relative path is fine."""
    monkeypatch.chdir(tmp_path)
    for each in (name, "x1", "star", "what"):
        Journal(tmp_path / each).access()
    assert report(name)["accesses"] == 1
    monkeypatch.chdir(tmp_path / name)
    assert report(".")["accesses"] == 1


def test_what_holds_no_ledger_is_refused(tmp_path):
    """A directory that is missing or holds no segment, and a file that is no export, are told."""
    refused(run("ledger", "report", tmp_path), "holds no ledger")
    refused(run("ledger", "report", tmp_path / "none"), "no such file")
    (tmp_path / "notes.parquet").write_text("hello")
    refused(run("ledger", "report", tmp_path / "notes.parquet"), "can't be read")


def test_an_empty_ledger_has_a_report(tmp_path):
    """A ledger without any access is reported as such, in every form."""
    Journal(tmp_path)
    assert report(tmp_path)["cells"] == []
    assert "0 accesses, 0 permits" in run("ledger", "report", tmp_path).out
    assert "No access was recorded." in run("ledger", "report", tmp_path, "--format", "html").out


# --- Of the library's own writing -----------------------------------------------------------------


def test_what_the_library_writes_is_reported(tmp_path):
    """What guards of two processes did is what report, export and tail tell of it."""
    directory = tmp_path / "ledger"
    with Service(directory, segment_bytes=4096) as enforcing:
        for number in range(30):
            assert enforcing.touch(number) == number
        for _ in range(4):
            with pytest.raises(OutOfPurposeError):
                enforcing.touch(purpose=MARKETING)
    with Service(directory, mode="observe") as observing:
        observing.touch()
        observing.touch(purpose=MARKETING)
        observing.touch(purpose="unheard_of")
    found = report(directory, "--policy", "smarthr")
    assert [found[each] for each in ("accesses", "permits", "violations", "gaps")] == [37, 31, 5, 1]
    assert [found[each] for each in ("lost", "refused", "broken")] == [0, 0, 0]
    assert {
        (each["purpose"], each["reason"], each["mode"]): each["accesses"] for each in found["cells"]
    } == {
        (PURPOSE, "granted", "enforce"): 30,
        (PURPOSE, "granted", "observe"): 1,
        (MARKETING, "not_granted", "enforce"): 4,
        (MARKETING, "not_granted", "observe"): 1,
        ("unheard_of", "purpose_unknown", "observe"): 1,
    }
    assert {each["file"].rpartition("/")[2] for each in found["sites"]} == {"ledger_kit.py"}
    (judged,) = found["policies"]
    assert (judged["name"], judged["digest"]) == (POLICY.name, POLICY.digest)
    *rotated, last, other = found["segments"]
    assert len(rotated) > 2
    assert [each["closed"] for each in rotated] == ["rotated"] * len(rotated)
    assert (last["closed"], other["closed"], other["accesses"]) == ("closed", "closed", 3)
    assert {each["process"] for each in found["segments"]} == {os.getpid()}
    assert run("ledger", "export", directory, "--parquet", tmp_path / "all").status == 0
    again = report(tmp_path / "all", "--policy", "smarthr")
    assert {**again, "source": None} == {**found, "source": None}
    shown = run("ledger", "tail", directory, "-n", "100", "--denied").lines
    assert [line[25:].split()[0] for line in shown] == ["violation"] * 5 + ["gap"]


# --- Relations ------------------------------------------------------------------------------------


def test_relations_are_as_documented(ledger, tmp_path):
    """`accesses`, `losses` and `segments` are the same over JSON lines and over an export."""
    run("ledger", "export", ledger, "--parquet", tmp_path / "all")
    for source in (ledger, tmp_path / "all"):
        with reading(source) as connection:

            def rows(query, connection=connection):
                return connection.execute(query).fetchall()

            assert rows("SELECT kind, COUNT(*) FROM accesses GROUP BY kind ORDER BY kind") == [
                ("access", 8),
                ("refused", 1),
            ]
            assert rows("SELECT host, lost, lost_refused, cause FROM losses") == [
                ("alpha", 5, 2, "ENOSPC")
            ]
            query = "SELECT host, process, records, broken, ended FROM segments ORDER BY segment"
            assert rows(query) == [
                ("beta", 12, 2, 0, True),
                ("alpha", 4711, 4, 0, True),
                ("alpha", 4711, 3, 0, True),
            ]


# --- Times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [(), ("--policy", "smarthr")])
@pytest.mark.parametrize("columns", ["80", "200"])
def test_a_narrow_terminal_loses_no_count(ledger, columns, more):
    """What doesn't fit beside the counts is left out: the times."""
    lines = run("ledger", "report", ledger, *more, columns=columns).out.splitlines()
    head = next(line for line in lines if line.startswith("category, purpose"))
    assert "permits  violations  gaps  let through" in head
    assert ("first seen" in head) == (columns == "200")
    (row,) = (line for line in lines if line.startswith("  marketing.information "))
    assert row[head.index("violations") :][:10] == "         3"


@pytest.mark.parametrize(
    ("since", "until", "accesses"),
    [
        ("2026-11-25T12:00:00Z", None, 7),
        ("2026-11-25T12:00:00.000001Z", None, 6),
        (None, "2026-11-25T12:00:00", 1),
        ("2026-11-25T21:00+09:00", "2026-11-25T21:02+09:00", 2),
        ("2026-11-25", "2026-11-26", 8),
        ("2026-11-26", None, 0),
    ],
)
def test_since_and_until(ledger, since, until, accesses):
    """`--since` is within, `--until` isn't; a zone is heeded, and without one it is UTC."""
    bounds = [*(("--since", since) if since else ()), *(("--until", until) if until else ())]
    found = report(ledger, *bounds)
    assert found["accesses"] == accesses
    assert len(found["segments"]) == 3
    assert found["lost"] == (5 if accesses == 8 or since is None else 0)


def test_times_that_are_none_are_refused(ledger):
    """What can't be understood as times is told."""
    result = run("ledger", "report", ledger, "--since", "yesterday")
    assert result.status == 2
    assert "`yesterday` is no time" in " ".join(result.err.split())
    refused(
        run("ledger", "report", ledger, "--since", "2026-12-01", "--until", "2026-11-01"), "swap"
    )


def test_the_machine_s_zone_changes_nothing(ledger):
    """The same bytes come out wherever the report is made."""
    bounds = ("--since", "2026-11-25T12:00", "--until", "2026-11-25T16:00")
    here, there = (
        spawn("ledger", "report", ledger, *bounds, TZ=zone)
        for zone in ("Asia/Tokyo", "America/New_York")
    )
    assert (there.returncode, there.stderr) == (0, b"")
    assert b"6 accesses" in there.stdout
    assert there.stdout == here.stdout


# --- Forms ----------------------------------------------------------------------------------------


class Page(HTMLParser):
    """Collects tags, and the text of table cells."""

    def __init__(self, text):
        super().__init__()
        self.tags = Counter()
        self.cells = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag] += 1
        if tag in {"td", "th"}:
            self.cells.append("")

    def handle_data(self, data):
        if self.cells:
            self.cells[-1] += data


def test_hostile_names_are_only_text(tmp_path):
    """Markup, templates and control characters in a ledger come out as text, in every form."""
    journal = Journal(tmp_path, host=HOSTILE)
    journal.policy(name=HOSTILE)
    changes = dict.fromkeys(
        ("category", "purpose", "reason", "function", "file", "service"), HOSTILE
    )
    journal.access(VIOLATION, changes)
    journal.lost(1, cause=HOSTILE)
    page = run("ledger", "report", tmp_path, "--format", "html").out
    assert "<script" not in page
    assert "<img" not in page
    assert html.escape("<script>alert('x')", quote=False).replace("'", "&#39;") in page
    assert " 49 " not in page
    plain = Page(run("ledger", "report", tmp_path, "--format", "html").out)
    assert plain.tags["script"] == plain.tags["img"] == 0
    table = run("ledger", "report", tmp_path, columns="4000").out
    assert "\x1b" not in table
    assert "\u202e" not in table
    assert "\\x1b[31m\\u202e" in table
    shown = run("ledger", "report", tmp_path, "--format", "json").out
    assert shown.isascii()
    assert json.loads(shown)["cells"][0]["category"] == HOSTILE


def test_every_form_says_the_same(ledger, tmp_path):
    """Table and page hold the counts, places, losses and policies of the JSON; `-o` too."""
    table = run("ledger", "report", ledger).out
    page = run("ledger", "report", ledger, "--format", "html").out
    text = " ".join(" ".join(Page(page).cells).split())
    for form in (" ".join(table.split()), text):
        for word in (
            "candidate",
            "visitor",
            "none declared",
            "violation: not_granted",
            "marketing.py:7",
            "ENOSPC",
            DIGEST[:12],
            "12 bytes set aside",
            "beta",
        ):
            assert word in form, word
    assert "8 accesses, 4 permits, 3 violations, 1 gap, 3 refused by the ledger, 5 lost" in table
    assert "3 permits 1 refused by the ledger" in text
    assert "3 violations not_granted 1 let through" in text
    for form in ("table", "json", "html"):
        into = tmp_path / f"report.{form}"
        assert run("ledger", "report", ledger, "--format", form, "-o", into).status == 0
        assert into.read_text() == run("ledger", "report", ledger, "--format", form).out


def test_page_stands_alone_and_is_well_formed(ledger):
    """The page loads nothing, names its language and regions, and heads every table."""
    page = run("ledger", "report", ledger, "--format", "html").out
    tags = Page(page).tags
    assert page.startswith("<!DOCTYPE html>")
    assert '<html lang="en">' in page
    assert not {"script", "link", "img", "iframe"} & set(tags)
    assert "http" not in page.replace("http-equiv", "")
    assert page.count("<section aria-labelledby=") == tags["section"] == tags["h2"]
    assert tags["table"] == page.count('tabindex="0"') + page.count('<div class="bands">')
    assert 'scope="col"' in page
    assert 'scope="row"' in page


def test_beside_a_policy(ledger):
    """With `--policy` each cell says what the policy does, and grants that nobody used are told."""
    found = report(ledger, "--policy", "smarthr")
    said = {(each["category"], each["purpose"]): each["said"] for each in found["cells"]}
    assert said["candidate", "recruitment.selection"] == "granted"
    assert said["candidate", "marketing.information"] == "not granted"
    assert said["candidate", ""] is None
    unused = {(each["category"], each["purpose"]) for each in found["unused"]}
    assert ("candidate", "recruitment.contact") in unused
    assert ("candidate", "recruitment.selection") not in unused
    table = run("ledger", "report", ledger, "--policy", "smarthr").out
    assert "● granted" in table
    assert "granted cells not used" in table
    page = run("ledger", "report", ledger, "--policy", "smarthr", "--format", "html").out
    assert "policy: · not granted" in " ".join(" ".join(Page(page).cells).split())
    refused(run("ledger", "report", ledger, "--policy", "none.yaml"), "none.yaml")


def test_without_duckdb_the_pip_line_is_named(ledger):
    """Without the extra the report says what to install; `tail` goes on."""
    code = "import sys\nsys.modules['duckdb'] = None\nfrom purposeguard.cli import main\nmain()"
    done = spawn("ledger", "report", ledger, code=code)
    assert (done.returncode, done.stdout) == (2, b"")
    (line,) = done.stderr.decode().splitlines()
    assert line.endswith("pip install 'purposeguard[ledger]'")
    assert spawn("ledger", "tail", ledger, code=code).returncode == 0


def test_texts_are_stamped_as_documented():
    """The texts' own time is the one that is documented, so that the tests above mean it."""
    assert stamp(BEGAN) == "2026-11-25T08:14:55.123456Z"


def test_progress_is_shown_to_a_terminal_only(ledger):
    """Where standard error is a terminal it shows progress; what is printed stays the same."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "purposeguard", "ledger", "report", str(ledger)]
    kept = {name: value for name, value in os.environ.items() if name not in CLEAN}
    kept["TERM"] = "xterm"
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, env=kept) as running:
        os.close(theirs)
        printed = running.stdout.read()
        shown = b""
        with suppress(OSError):  # the other end is closed
            while part := os.read(ours, 65536):
                shown += part
    os.close(ours)
    assert b"reading the ledger" in shown
    piped = spawn("ledger", "report", ledger)
    assert (piped.returncode, piped.stderr) == (0, b"")
    assert printed == piped.stdout
    assert b"\x1b" not in printed


@pytest.mark.parametrize("command", ["report", "tail", "export"])
def test_help_says_what_the_status_means(command):
    """Each command documents its exit status."""
    result = run("ledger", command, "--help")
    assert result.status == 0
    assert "Exit status: 0 " in result.out
