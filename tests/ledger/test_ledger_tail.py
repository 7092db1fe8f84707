"""`purposeguard ledger tail`: the newest lines of all segments, and those that follow."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import timedelta
from threading import Thread

import pytest
from ledger_texts import BEGAN, GAP, VIOLATION, Journal

from cli.command_line import refused, run
from purposeguard.cli.ledger.tails import Tails

LONG = 90 * 1024
"""More than is read of a file at once."""


def at(second):
    """Return a time on the clock of the tests."""
    return BEGAN + timedelta(seconds=second)


def shown(directory, *more):
    """Return the lines that `tail` prints."""
    result = run("ledger", "tail", directory, *more)
    assert (result.status, result.err) == (0, "")
    return result.lines


def functions(lines):
    """Return the names of functions in lines, which tests number."""
    return [word.rstrip(",") for line in lines for word in line.split() if word[:4] == "call"]


@pytest.fixture
def journals(tmp_path):
    """Two journals that take turns."""
    two = [Journal(tmp_path, process=each, digits=f"0000000{each}") for each in (1, 2)]
    for second in range(10, 30):
        two[second % 2].access({"function": f"call{second}"}, at=at(second))
    return two


def test_segments_are_merged_by_time(journals, tmp_path):
    """The newest lines come, the oldest of them first, whatever file they are in."""
    assert functions(shown(tmp_path, "-n", "7")) == [f"call{each}" for each in range(23, 30)]
    assert functions(shown(tmp_path)) == [f"call{each}" for each in range(10, 30)]
    assert len(shown(tmp_path, "-n", "1000")) == 22
    assert shown(tmp_path, "-n", "0") == []


def test_rotated_segments_are_one_journal(journals, tmp_path):
    """What is older than the last segment of a journal is found in the ones before."""
    first = journals[0]
    for second in range(30, 36):
        first.rotate()
        first.access({"function": f"call{second}"}, at=at(second))
    assert functions(shown(tmp_path, "-n", "30"))[-8:] == [f"call{each}" for each in range(28, 36)]


def test_each_kind_is_readable(tmp_path):
    """Each kind of line says what it says, on one line."""
    journal = Journal(tmp_path)
    journal.policy()
    journal.access()
    journal.access(VIOLATION, {"mode": "observe", "recipient": "partner", "operation": "provide"})
    journal.access(GAP, {"items": None})
    journal.access(kind="refused")
    journal.lost(5, 2)
    journal.raw(b"\0\0\n")
    journal.rotate()
    journal.recovered(b"xyz")
    expected = [
        ("open", "by process 4711 on alpha"),
        ("policy", "smarthr, version 2026-11, digest"),
        ("permit", "granted  candidate (name, work_history)  for recruitment.selection"),
        ("permit", "CandidateRepository.load, candidates.py:42  hr  [4711]"),
        ("violation", "not_granted  candidate (name, work_history)  provide  to partner  for mark"),
        ("violation", "let through"),
        ("gap", "purpose_undeclared  candidate (all items)  for no purpose"),
        ("refused", "granted  candidate"),
        ("lost", "5 lost, 2 refused  since 2026-11-25 08:14:01.123  ENOSPC"),
        ("unreadable", "see `purposeguard ledger verify`"),
        ("close", "rotated"),
        ("recovered", "3 bytes set aside"),
    ]
    lines = shown(tmp_path)
    for label, text in expected:
        assert [line for line in lines if line[25:].startswith(label) and text in line], text
    assert [line[25:].split()[0] for line in shown(tmp_path, "--denied")] == [
        "violation",
        "gap",
        "refused",
        "lost",
        "unreadable",
    ]


def test_denied_lines_behind_many_permits_are_found(tmp_path):
    """`--denied` passes over permits, whatever is in them, and over nothing else."""
    journal = Journal(tmp_path)
    confusing = {"function": ',"outcome":"permit",', "service": "violation"}
    journal.access(VIOLATION, {"function": "call1"})
    journal.access(VIOLATION, confusing)
    journal.access(confusing, {"file": ',"outcome":"violation",'}, kind="refused")
    whole = journal.path.read_bytes()
    journal.access()
    journal.path.write_bytes(journal.path.read_bytes()[:-20] + b"\n")
    assert len(journal.path.read_bytes()) > len(whole)
    for _ in range(3_000):
        journal.access({"file": ',"outcome":"violation",'})
    labels = ["violation", "violation", "refused", "unreadable"]
    assert [line[25:].split()[0] for line in shown(tmp_path, "--denied")] == labels
    tails = Tails(tmp_path, denied=True)
    assert [each.kind for each in tails.newest(2)] == ["refused", "unreadable"]
    journal.access()
    journal.access(GAP)
    assert [each.values["outcome"] for each in tails.new()] == ["gap"]


def test_a_half_written_line_waits(journals, tmp_path):
    """A last line without its end is not shown; once it is whole it is, and once only."""
    journal = journals[0]
    tails = Tails(tmp_path)
    tails.newest(5)
    assert list(tails.new()) == []
    before = journal.path.stat().st_size
    journal.access({"function": "call99"}, at=at(99))
    line = journal.path.read_bytes()[before:]
    for cut in (1, 50, len(line) - 1):
        journal.path.write_bytes(journal.path.read_bytes()[:before] + line[:cut])
        assert list(tails.new()) == []
        assert "call99" not in " ".join(shown(tmp_path))
    journal.path.write_bytes(journal.path.read_bytes()[:before] + line)
    assert [each.values["function"] for each in tails.new()] == ["call99"]
    assert list(tails.new()) == []


def test_new_segments_and_journals_are_noticed(journals, tmp_path):
    """What is written behind a rotation, and by new processes, follows in the order of time."""
    tails = Tails(tmp_path)
    tails.newest(5)
    journals[0].access({"function": "call40"}, at=at(40))
    journals[0].rotate()
    other = Journal(tmp_path, process=3, digits="00000003", began=at(39))
    other.access({"function": "call41"}, at=at(41))
    journals[0].access({"function": "call42"}, at=at(42))
    new = list(tails.new())
    named = [each.values["function"] for each in new if each.kind == "access"]
    assert named == ["call40", "call41", "call42"]
    assert [each.kind for each in new].count("open") == 2
    journals[0].access({"function": "call43"}, at=at(43))
    assert [each.values["function"] for each in tails.new()] == ["call43"]


def test_a_file_that_shrinks_or_vanishes_is_told(journals, tmp_path):
    """A segment that got shorter, or is gone, is no silence."""
    tails = Tails(tmp_path)
    tails.newest(5)
    whole = journals[0].path.read_bytes()
    journals[0].path.write_bytes(whole[: whole.index(b"\n") + 1])
    kinds = [each.kind for each in tails.new()]
    assert kinds == ["unreadable", "open"]
    journals[1].path.unlink()
    assert [each.kind for each in tails.new()] == ["unreadable"]
    assert list(tails.new()) == []


@pytest.mark.parametrize("around", [LONG - 1, LONG, 64 * 1024 - 300, 3 * LONG])
def test_long_lines_are_read_whole(tmp_path, around):
    """Lines longer than a block, and blocks that end anywhere in a line, lose nothing."""
    journal = Journal(tmp_path)
    for number in range(4):
        journal.access({"function": f"call{number}", "subjects": ["a" * around]}, at=at(number + 9))
        journal.raw(b"\n" * number)
    assert functions(shown(tmp_path)) == ["call0", "call1", "call2", "call3"]
    assert functions(shown(tmp_path, "-n", "2")) == ["call2", "call3"]


def test_control_characters_are_escaped(tmp_path):
    """Nothing in a ledger can move the cursor, colour the terminal or forge a line."""
    journal = Journal(tmp_path, host="\x1b[2J\nforged")
    evil = "\x1b[31mred\r\n2026-11-25 forged\x07\u202e\x9b"
    keys = ("category", "purpose", "reason", "function", "file", "service", "recipient", "outcome")
    journal.access(dict.fromkeys(keys, evil), {"items": [evil], "line": evil})
    journal.lost(1, cause=evil)
    text = f'{{"seq":9,"kind":"{"x" * 9}\\u001b","time":"\\u001b[2J{"9" * 20}","mac":"00"}}\n'
    journal.raw(text.encode())
    lines = shown(tmp_path)
    assert len(lines) == 4
    for line in lines:
        assert line.isprintable()
    assert "\\x1b[31mred\\r\\n2026-11-25 forged\\x07\\u202e\\x9b" in lines[1] + lines[2]


@pytest.mark.parametrize(
    "values", ["[]", "5", '{"seq":[],"kind":{},"time":7}', '{"kind":"access"}']
)
def test_values_of_any_type_are_no_obstacle(tmp_path, values):
    """Whatever stands in a line, it is one line."""
    journal = Journal(tmp_path)
    journal.raw(f"{values}\n".encode())
    assert len(shown(tmp_path)) == 2


def test_what_holds_no_ledger_is_refused(tmp_path):
    """A missing directory, and one without segments, is told."""
    refused(run("ledger", "tail", tmp_path), "holds no ledger")
    refused(run("ledger", "tail", tmp_path / "none"), "no such file")
    refused(run("ledger", "tail", tmp_path / "none", "-f"), "no such file")


# --- Following, in a process of its own -----------------------------------------------------------


COMMAND = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # whatever started the tests may ignore it
from purposeguard.cli import main
main()
"""


@contextmanager
def following(directory, *more):
    """Run `tail --follow` and give its lines as they come."""
    command = [sys.executable, "-c", COMMAND, "ledger", "tail", str(directory), "-f", *more]
    kept = {**os.environ, "PYTHONUNBUFFERED": ""}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=kept, **pipes) as running:
        lines = []

        def gather():
            for line in iter(running.stdout.readline, ""):
                lines.append(line)

        reader = Thread(target=gather, daemon=True)
        reader.start()
        try:
            yield running, lines
        finally:
            if running.poll() is None:
                running.kill()
            reader.join()


def wait_for(condition):
    """Wait until it holds, for a minute at most."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_follow_shows_lines_as_they_are_written(journals, tmp_path):
    """New lines come without the reader's doing, only denied ones where asked; Ctrl-C ends it."""
    with (
        following(tmp_path, "-n", "3") as (all_, every),
        following(tmp_path, "-n", "3", "--denied") as (some, denied),
    ):
        wait_for(lambda: len(every) == 3)
        for number in range(50, 55):
            journals[0].access(VIOLATION if number % 2 else {}, {"function": f"call{number}"})
        journals[0].rotate()
        journals[0].access(GAP, {"function": "call55"})
        wait_for(lambda: "call55" in "".join(every) and "call55" in "".join(denied))
        for running in (all_, some):
            running.send_signal(signal.SIGINT)
        assert [each.wait(120) for each in (all_, some)] == [0, 0]
        assert [each.stderr.read() for each in (all_, some)] == ["", ""]
    assert functions(every)[-6:] == [f"call{number}" for number in range(50, 56)]
    assert functions(denied) == ["call51", "call53", "call55"]


def test_follow_waits_for_a_ledger_that_is_still_empty(tmp_path):
    """An empty directory may be followed: the service that writes into it is yet to start."""
    with following(tmp_path) as (running, lines):
        time.sleep(0.5)
        assert running.poll() is None
        Journal(tmp_path).access()
        wait_for(lambda: len(lines) == 2)


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path):
    """A closed pipe leaves no traceback."""
    journal = Journal(tmp_path)
    for _ in range(2_000):
        journal.access()
    command = [sys.executable, "-m", "purposeguard", "ledger", "tail", str(tmp_path), "-n", "2000"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, **pipes) as running:
        running.stdout.readline()
        running.stdout.close()
        assert running.stderr.read() == b""
