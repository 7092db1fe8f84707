"""`purposeguard ledger verify` and `checkpoint`, and what verifying says of ledgers in use."""

import fcntl
import json
import multiprocessing
import os
import pty
import subprocess
import sys
import threading
import time

import pytest
from ledger_kit import KEY, POLICY, Service, assert_intact, open_ledger, segments, verdict
from typer.testing import CliRunner

from effort import effort
from purposeguard import Guard
from purposeguard.cli.app import app
from purposeguard.evidence.ledger.checkpoints import read_checkpoints
from purposeguard.evidence.ledger.lines import SegmentName
from purposeguard.evidence.ledger.reading import lines_of
from purposeguard.evidence.ledger.verify import heads, keys_by_id, signed, verify

ENVIRONMENT = {
    "PURPOSEGUARD_LEDGER_KEY": KEY.decode(),
    "PURPOSEGUARD_LEDGER_KEY_FILE": None,
    "NO_COLOR": "1",
    "COLUMNS": "400",
}


def command(*arguments, **environment):
    """Run `purposeguard ledger …`."""
    return CliRunner().invoke(
        app, ["ledger", *map(str, arguments)], env={**ENVIRONMENT, **environment}
    )


@pytest.fixture
def place(tmp_path):
    """Return a ledger that was written and closed."""
    with Service(tmp_path / "ledger") as service:
        for _ in range(3):
            service.touch()
    return tmp_path / "ledger"


def test_an_intact_ledger(place):
    """Exit status 0, and what was counted; that no checkpoint was given is said."""
    result = command("verify", place)
    assert result.exit_code == 0, result.output
    assert f"{place}: intact; 1 segment, 3 records, 0 lost, 0 refused" in result.output
    assert "no checkpoint was given" in result.output


def test_a_changed_line_is_told_with_its_place(place):
    """Exit status 1, segment, line, and what is wrong."""
    (path,) = segments(place)
    path.write_bytes(path.read_bytes().replace(b'"enforce"', b'"observe"', 1))
    result = command("verify", place)
    assert result.exit_code == 1
    assert f"problem: {path.stem}:3: was changed, or what stands before it was" in result.output
    assert "(and 3 behind it can't be checked)" in result.output
    assert "NOT intact, 1 problem" in result.output
    assert "closing line" not in result.output  # nobody has looked at the end


def test_json(place):
    """The same for programs, with what could not be shown."""
    result = command("verify", place, "--format", "json")
    found = json.loads(result.stdout)
    assert (found["intact"], found["records"], found["problems"]) == (True, 3, [])
    assert (found["checkpoints"], found["unverified"]) == (0, [])
    assert found["remarks"] == ["no checkpoint was given: lines cut off at an end can't be seen"]
    result = command("verify", place, "--format", "json", PURPOSEGUARD_LEDGER_KEY=None)
    found = json.loads(result.stdout)
    assert (found["intact"], found["problems"], len(found["unverified"])) == (False, [], 1)


def test_checkpoints_are_added_to_a_file(place, tmp_path):
    """One a line, and none that was there is lost."""
    kept = tmp_path / "checkpoint.jsonl"
    for _ in range(2):
        result = command("checkpoint", place, "-o", kept)
        assert result.exit_code == 0
        assert result.stderr == f"{kept}: 1 checkpoint added\n"
    assert kept.read_text().count("\n") == 2
    assert "intact, against 2 checkpoints" in command("verify", place, "--checkpoint", kept).output


def test_checkpoints_are_read_from_a_log(place, tmp_path, caplog):
    """As the log event of a checkpoint has them, behind whatever a log puts before it."""
    with caplog.at_level("INFO"), Service(place) as service:
        service.touch()
        service.ledger.checkpoint()
    log = tmp_path / "service.log"
    told = [record.getMessage() for record in caplog.records]
    log.write_text("".join(f"2026-11-25 INFO {each}\n" for each in told if "checkpoint" in each))
    result = command("verify", place, "--checkpoint", log)
    assert result.exit_code == 0, result.output
    assert "intact, against 2 checkpoints" in result.output


def test_checkpoints_hold_what_verify_can_not_see(place, tmp_path):
    """A tail that was cut off is found with a checkpoint, and only with one."""
    kept = tmp_path / "checkpoint.jsonl"
    assert command("checkpoint", place, "-o", kept).exit_code == 0
    result = command("verify", place, "--checkpoint", kept)
    assert result.exit_code == 0
    assert "intact, against 1 checkpoint" in result.output
    assert "no checkpoint was given" not in result.output
    (path,) = segments(place)
    path.write_bytes(b"".join(path.read_bytes().splitlines(True)[:-2]))
    assert command("verify", place).exit_code == 0
    result = command("verify", place, "--checkpoint", kept)
    assert result.exit_code == 1
    assert "is not reached: the segment was cut off" in result.output


def test_no_checkpoint_of_a_ledger_that_is_not_intact(place):
    """It would say that this is how it should be."""
    (path,) = segments(place)
    path.write_bytes(path.read_bytes().replace(b'"enforce"', b'"observe"', 1))
    result = command("checkpoint", place)
    assert result.exit_code == 1
    assert "not intact" in result.stderr
    assert result.stdout == ""


def test_a_checkpoint_without_verifying(place):
    """Quick, where somebody else verifies: one line for each journal."""
    with Service(place) as service:
        service.touch()
    result = command("checkpoint", place, "--no-verify")
    assert result.exit_code == 0
    assert result.stdout.count("\n") == 2
    first, second = map(json.loads, result.stdout.splitlines())
    assert [first["segment"], second["segment"]] == [path.stem for path in segments(place)]
    assert verdict(place, read_checkpoints(result.stdout)).intact
    path = segments(place)[0]
    path.write_bytes(path.read_bytes().replace(b'"enforce"', b'"observe"', 1))
    assert command("checkpoint", place).exit_code == 1
    assert command("checkpoint", place, "--no-verify").exit_code == 0


@pytest.mark.parametrize("option", [(), ("--no-verify",)])
def test_no_checkpoint_without_the_key(option, place):
    """It has to be signed: exit status 2, and the id of the key that it takes."""
    with Service(place, key=b"another key for the tests") as service:
        service.touch()
    result = command("checkpoint", place, *option)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "was written with key `" in result.stderr
    assert result.stderr.count("\n") == 1


def test_progress_is_for_terminals(place):
    """On a terminal it is shown, on the error stream; the result is the same."""
    environment = {**os.environ, "PURPOSEGUARD_LEDGER_KEY": KEY.decode(), "TERM": "xterm"}
    arguments = [sys.executable, "-m", "purposeguard", "ledger", "verify", str(place)]
    ours, theirs = pty.openpty()
    shown = subprocess.run(
        arguments, stdout=subprocess.PIPE, stderr=theirs, env=environment, check=True
    )
    os.close(theirs)
    assert b"verifying" in os.read(ours, 65536)
    os.close(ours)
    piped = subprocess.run(arguments, capture_output=True, env=environment, check=True)
    assert piped.stderr == b""
    assert piped.stdout == shown.stdout


def test_the_key(place, tmp_path):
    """From the environment or files; without the right one nothing is shown, and it is said."""
    result = command("verify", place, PURPOSEGUARD_LEDGER_KEY=None)
    assert result.exit_code == 2
    assert "was written with key `" in result.output
    assert "NOT verified, for want of a key" in result.output
    assert "give the missing keys: the one in use as `PURPOSEGUARD_LEDGER_KEY`" in result.output
    (path,) = segments(place)
    path.rename(path.with_name(path.name.replace("-000001", "-000002")))
    assert command("verify", place, PURPOSEGUARD_LEDGER_KEY=None).exit_code == 1
    path.with_name(path.name.replace("-000001", "-000002")).rename(path)
    file = tmp_path / "key"
    file.write_bytes(KEY + b"\n")
    for options in (
        {"PURPOSEGUARD_LEDGER_KEY": None, "PURPOSEGUARD_LEDGER_KEY_FILE": str(file)},
        {"PURPOSEGUARD_LEDGER_KEY": "another key for the tests"},
    ):
        more = () if options.get("PURPOSEGUARD_LEDGER_KEY_FILE") else ("--key-file", file)
        assert command("verify", place, *more, **options).exit_code == 0
    result = command("verify", place, PURPOSEGUARD_LEDGER_KEY="short")
    assert result.exit_code == 2
    assert "the ledger's key has 5 bytes: use at least 16" in result.stderr


def test_a_plain_chain_is_called_what_it_is(tmp_path):
    """Without a key the command says what it can't show."""
    with Service(tmp_path / "ledger", key=None) as service:
        service.touch()
    result = command("verify", tmp_path / "ledger", PURPOSEGUARD_LEDGER_KEY=None)
    assert result.exit_code == 0
    assert "1 segment without a key: whoever can write there can forge them" in result.output
    result = command("verify", tmp_path / "ledger")
    assert "has no key" in result.output or "have no key" in result.output


@pytest.mark.parametrize("what", ["missing", "empty", "file"])
def test_what_is_no_ledger(what, tmp_path):
    """Exit status 2 and one line."""
    path = tmp_path / "place"
    if what == "empty":
        path.mkdir()
    if what == "file":
        path.write_text("")
    result = command("verify", path)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert command("checkpoint", path).exit_code == 2


@pytest.mark.parametrize("text", ["", "{}", "no json", '{"purposeguard_checkpoint":2}', "\xff"])
def test_what_is_no_checkpoint(text, place, tmp_path):
    """Exit status 2, with the file and the fix."""
    file = tmp_path / "checkpoint"
    file.write_bytes(text.encode("latin-1"))
    result = command("verify", place, "--checkpoint", file)
    assert result.exit_code == 2
    assert str(file) in result.stderr


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from 3.12 on, for our threads
def test_a_killed_process_is_a_note(tmp_path):
    """A segment without its closing line may be cut off: that is said, and is no problem."""
    service = Service(tmp_path / "ledger")
    service.touch()
    process = os.fork()
    if process == 0:
        service.touch()
        os._exit(0)
    os.waitpid(process, 0)
    service.ledger.close()
    found = assert_intact(tmp_path / "ledger")
    (note,) = found.notes
    assert "ends without a closing line" in note.text
    assert found.records == 2


def _write(place, durability, until):
    ledger = open_ledger(place, segment_bytes=4096, durability=durability)
    guard = Guard(POLICY, ledger=ledger)
    load = guard.access("candidate", purpose="recruitment.selection")(lambda: 1)
    threads = [threading.Thread(target=_load, args=(load, until)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ledger.close()


def _load(load, until):
    while time.time() < until:
        load()
        time.sleep(0.0005)  # so that many more segments don't make looking at them slow


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from 3.12 on, for our threads
@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_ledger_in_use_is_never_called_damaged(durability, tmp_path):
    """While four processes write and end segments, verifying finds nothing that isn't so.

    What a look has found intact is the checkpoint of later ones.
    """
    place = tmp_path / "ledger"
    place.mkdir()
    until = time.time() + effort(2, 5, 120)
    spawn = multiprocessing.get_context("fork")
    writers = [spawn.Process(target=_write, args=(place, durability, until)) for _ in range(4)]
    for writer in writers:
        writer.start()
    looks = 0
    checkpoints = []
    keys = keys_by_id([KEY])
    while time.time() < until:
        found = verdict(place, checkpoints)
        assert not found.problems, [str(each) for each in found.problems]
        checkpoints = signed(heads(place, keys), keys, time.time_ns())
        looks += 1
    for writer in writers:
        writer.join()
        assert writer.exitcode == 0
    assert looks >= 3
    found = assert_intact(place)
    assert found.segments > 10
    assert not found.notes
    assert verdict(place, checkpoints).intact


@pytest.mark.parametrize("before", [0, 1], ids=["the first line", "a later line"])
def test_what_is_written_meanwhile_is_for_the_next_look(before, place):
    """A look that has seen half a line does not take the other half for a line of its own."""
    (path,) = segments(place)
    whole = path.read_bytes()
    lines = whole.splitlines(True)
    half = b"".join(lines[:before]) + lines[before][:50]

    def go_on(read):
        if read == 50:
            path.write_bytes(whole)

    path.write_bytes(half)
    seen = b""
    with path.open("rb") as file:
        for line in lines_of(file):
            seen += line.raw
            go_on(len(line.raw))
    assert seen == half
    path.write_bytes(half)
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert not verify(place, keys_by_id([KEY]), progress=go_on).problems
    path.write_bytes(whole)
    assert_intact(place)


def test_verify_reads_no_other_file(place):
    """Side files, reserves and whatever else lies there are no segments."""
    (path,) = segments(place)
    for name in (f"{path.name}.torn-1", "notes.txt", "x.reserve", "000001.jsonl"):
        (place / name).write_text("{}")
    assert assert_intact(place).segments == 1
    assert SegmentName.read(path.name) is not None
    assert SegmentName.read(f"{path.stem[:-6]}1.jsonl") is None


def test_a_symbolic_link_is_no_segment(place, tmp_path):
    """A segment that was replaced by a link to elsewhere is told."""
    (path,) = segments(place)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    assert "no file of its own" in verdict(place).problems[0].text


def test_binary_garbage_and_endless_lines_end_in_a_verdict(place):
    """Whatever is in a segment, verifying tells it and goes on."""
    (path,) = segments(place)
    whole = path.read_bytes()
    for rest in (b"\0" * 5000, b"\xff" * 5000 + b"\n", b"{" * 200_000 + b"\n", b'{"seq":9}\n'):
        path.write_bytes(whole + rest)
        found = verdict(place)
        assert found.problems or rest.startswith(b"\0")
        assert found.records == 3


@pytest.mark.timeout(60)
def test_a_pipe_is_no_segment(place):
    """It would never end: verifying and opening the ledger tell it, and go on."""
    (path,) = segments(place)
    path.rename(path.with_suffix(".kept"))
    os.mkfifo(path)
    assert "no file of its own" in verdict(place).problems[0].text
    with open_ledger(place) as ledger:
        assert ledger.health().recovered == () or ledger.health().recovered[0].damaged


def test_a_cut_end_behind_a_segment_that_was_given_up(tmp_path):
    """Where the next one but one goes on from it, the line that it goes on from must be there."""
    with Service(tmp_path) as service:
        service.touch()
        journal = service.ledger._journal
        journal._segments.give_up("EIO")
        journal._segments.number += 1  # as where a segment could be begun in part only
        service.touch()
    first, last = segments(tmp_path)
    empty = last.with_name(f"{last.stem[:-6]}000002.jsonl")
    empty.touch()
    assert_intact(tmp_path)
    first.write_bytes(b"".join(first.read_bytes().splitlines(True)[:-1]))
    assert "doesn't go on" in verdict(tmp_path).problems[0].text


def test_a_journal_whose_first_segment_holds_no_line(tmp_path):
    """It was given up before it held one, and could not be taken away: nothing goes on from it."""
    with Service(tmp_path) as service:
        journal = service.ledger._journal
        journal._segments.number, journal._segments.cause = 1, "EIO"
        service.touch()
    (second,) = segments(tmp_path)
    second.with_name(f"{second.stem[:-6]}000001.jsonl").touch()
    assert_intact(tmp_path)
