"""Opening a ledger with the segments of processes that died: what is put right, and what is not."""

import functools
import json
import os
import random
import signal
import stat
import subprocess
import sys
import tempfile
import time
import tracemalloc
from pathlib import Path

import pytest
from crash_kit import (
    KEY,
    accesses,
    content,
    guarded,
    opened_and_closed,
    problems,
)
from ledger_texts import ACCESS, Journal
from naive_ledger import NaiveLedger, naive_numbers

from effort import effort
from purposeguard import Ledger
from purposeguard.evidence.ledger import reading, recovery, segment
from purposeguard.evidence.ledger.verify import heads, keys_by_id, verify

HERE = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
OTHER_KEY = b"another chain key of the tests"


@functools.cache
def written(count, **options):
    """Return the files of a ledger as a process leaves them that is killed after some accesses."""
    with tempfile.TemporaryDirectory() as directory:
        ledger, load = guarded(directory, reserve_bytes=0, **options)
        with ledger:
            for number in range(count):
                load(number)
            return content(directory)


def left(directory, count=3, **options):
    """Return a directory with such files."""
    return restored(directory, written(count, **options))


def restored(directory, files):
    """Write a directory with these files."""
    directory.mkdir()
    for name, whole in files.items():
        (directory / name).write_bytes(whole)
    return directory


def only_segment(directory):
    """Return the path of the one segment that there is."""
    (path,) = directory.glob("*.jsonl")
    return path


def lines_of(path):
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def notes(directory):
    return [str(each) for each in verify(directory, keys_by_id([KEY])).notes]


def assert_settled(directory):
    """The ledger is whole, and opening it again changes nothing."""
    assert problems(directory) == []
    before = content(directory)
    assert opened_and_closed(directory) == ()
    assert content(directory) == before


# Torn ends

WHOLE_JUNK = b'{"seq":6,"kind":"access"}\n'
TORN = {
    "a line in part": b'{"seq":6,"kind":"access","time":"2026-11-25T08:14:55.12',
    "one byte": b"{",
    "zeros": bytes(5000),
    "garbage": random.Random(3).randbytes(5000).replace(b"\n", b"-"),
    "lines that are none": WHOLE_JUNK * 3,
    "blank lines behind it": b'{"seq":6,"kind":"acc' + b"\n" * 6000,
}


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("torn", TORN.values(), ids=TORN)
def test_a_torn_end_is_set_aside(tmp_path, torn, durability):
    """Byte for byte, in a file for the owner alone; a line on the chain says so, and health."""
    directory = left(tmp_path / "ledger", durability=durability)
    path = only_segment(directory)
    good = path.read_bytes()
    path.write_bytes(good + torn)
    (found,) = opened_and_closed(directory)
    aside = directory / f"{path.name}.torn-1"
    assert (found.segment, found.damaged) == (path.stem, None)
    assert (found.aside, found.set_aside) == (aside.name, len(torn))
    assert aside.read_bytes() == torn
    assert stat.S_IMODE(aside.stat().st_mode) == 0o600
    assert path.read_bytes().startswith(good)
    *_, last, recovered = lines_of(path)
    assert recovered["seq"] == last["seq"] + 1
    assert (recovered["kind"], recovered["bytes"]) == ("recovered", len(torn))
    assert recovered["aside"] == aside.name
    assert f"{len(torn)} bytes were set aside in `{aside.name}`" in str(notes(directory))
    assert len(accesses(directory)) == 3
    assert_settled(directory)


def test_the_last_line_is_cut_anywhere(tmp_path):
    """What is left of it is set aside, and the lines before it stay; whole, it stays too."""
    ((name, whole),) = written(3).items()
    start = whole.rindex(b"\n", 0, -1) + 1
    step = effort(23, 7, 1)
    for cut in {*range(start, len(whole), step), len(whole) - 1, len(whole)}:
        directory = restored(tmp_path / f"cut-{cut}", {name: whole[:cut]})
        found = opened_and_closed(directory)
        asides = [each.read_bytes() for each in directory.glob("*.torn-*")]
        if cut in (start, len(whole)):
            assert (found, asides) == ((), [])
        else:
            assert asides == [whole[start:cut]]
        kept = len(whole) if cut == len(whole) else start
        path = directory / name
        assert path.read_bytes()[:kept] == whole[:kept]
        assert lines_of(path)[-1]["kind"] == "recovered"
        assert_settled(directory)


def test_what_was_set_aside_is_never_overwritten(tmp_path):
    """The next free number is taken."""
    directory = left(tmp_path / "ledger")
    path = only_segment(directory)
    (directory / f"{path.name}.torn-1").write_bytes(b"of another time")
    with path.open("ab") as file:
        file.write(b'{"seq":')
    (found,) = opened_and_closed(directory)
    assert found.aside == f"{path.name}.torn-2"
    assert (directory / f"{path.name}.torn-1").read_bytes() == b"of another time"
    assert (directory / found.aside).read_bytes() == b'{"seq":'
    assert_settled(directory)


def test_a_guard_tells_what_was_recovered(tmp_path, caplog):
    """The log event of the guard names segment, bytes and file."""
    directory = left(tmp_path / "ledger")
    path = only_segment(directory)
    with path.open("ab") as file:
        file.write(b'{"seq":')
    ledger, load = guarded(directory)
    with ledger:
        load(7)
    told = [each.message for each in caplog.records if "set aside" in each.message]
    assert len(told) == 1
    assert path.stem in told[0]
    assert "7 bytes" in told[0]
    assert f"{path.name}.torn-1" in told[0]


# Recovery that is interrupted

TORN_END = b'{"seq":6,"kind":"access","time":"2026-11-25T08:14:55.123456Z","trace":"0'


def states_of_recovery(directory, monkeypatch):
    """Return what the directory holds each time before recovery syncs, at first and at last."""
    states = [content(directory)]

    def watched(sync):
        def watching(it):
            if not isinstance(it, Path):
                it.flush()
            states.append(content(directory))
            sync(it)

        return watching

    with monkeypatch.context() as patch:
        patch.setattr(recovery, "_sync", watched(recovery._sync))
        patch.setattr(recovery, "sync_directory", watched(recovery.sync_directory))
        opened_and_closed(directory)
    states.append(content(directory))
    return states


def test_recovery_is_interrupted_anywhere(tmp_path, monkeypatch):
    """It is done again: nothing set aside gets lost, and the line names a file that holds it."""
    directory = left(tmp_path / "ledger")
    path = only_segment(directory)
    good = path.read_bytes()
    path.write_bytes(good + TORN_END)
    states = states_of_recovery(directory, monkeypatch)
    aside, end = f"{path.name}.torn-1", states[-1][path.name]
    assert len({str(sorted(state.items())) for state in states}) >= 4
    for cut in range(0, len(TORN_END), effort(19, 5, 1)):
        states.append({path.name: good + TORN_END, aside: TORN_END[:cut]})
    for cut in range(len(good), len(end), effort(19, 5, 1)):
        states.append({path.name: end[:cut], aside: TORN_END})
    for number, state in enumerate(states):
        again = restored(tmp_path / f"state-{number}", state)
        opened_and_closed(again)
        segment = again / path.name
        assert segment.read_bytes().startswith(good)
        recovered = [line for line in lines_of(segment) if line["kind"] == "recovered"]
        assert len(recovered) == 1
        assert TORN_END in [each.read_bytes() for each in again.glob("*.torn-*")]
        named = again / recovered[0]["aside"]
        assert recovered[0]["bytes"] == named.stat().st_size
        assert_settled(again)


def test_two_processes_recover_at_once(tmp_path, monkeypatch):
    """Whoever is second finds the segment ended, and adds nothing."""
    directory = left(tmp_path / "ledger")
    path = only_segment(directory)
    with path.open("ab") as file:
        file.write(TORN_END)
    locked, turns = recovery.locked, []

    def second(descriptor):
        if not turns:
            turns.append(opened_and_closed)
            opened_and_closed(directory)
        return locked(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(recovery, "locked", second)
        assert opened_and_closed(directory) == ()
    assert turns
    assert [line["kind"] for line in lines_of(path)].count("recovered") == 1
    assert_settled(directory)


NO_ROOM = """
import resource, sys
from crash_kit import opened_and_closed
before = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, before[1]))
(found,) = opened_and_closed(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, before)
print(found.damaged, end="")
"""


def test_what_is_torn_finds_no_room(tmp_path):
    """The ledger opens and says so; the segment is left as it is until there is room."""
    directory = left(tmp_path / "ledger")
    path = only_segment(directory)
    torn = TORN["garbage"]
    with path.open("ab") as file:
        file.write(torn)
    before = content(directory)
    said = subprocess.run(
        [sys.executable, "-c", NO_ROOM, str(directory)],
        check=False,
        capture_output=True,
        text=True,
        env=HERE,
    )
    assert (said.stdout, said.stderr) == ("can't be put right (File too large)", "")
    assert content(directory) == before
    (found,) = opened_and_closed(directory)
    assert (directory / found.aside).read_bytes() == torn
    assert_settled(directory)


# Damage


def changed(line):
    """Return a line with another category."""
    return line.replace(b'"patient"', b'"patienT"')


DAMAGE = {
    "a changed line": (lambda lines: [*lines[:3], changed(lines[3]), *lines[4:]], "line 4 is"),
    "a broken line": (lambda lines: [*lines[:3], lines[3][40:], *lines[4:]], "line 4 is"),
    "zeros in the middle": (
        lambda lines: [*lines[:3], bytes(len(lines[3])), *lines[4:]],
        "line 4 is",
    ),
    "a dropped line": (lambda lines: lines[:3] + lines[4:], "line 4 is"),
    "swapped lines": (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], "line 3 is"),
    "a changed first line": (
        lambda lines: [lines[0].replace(b'"required":true', b'"required":null'), *lines[1:]],
        "its first line was changed",
    ),
    "a broken first line": (lambda lines: [lines[0][9:], *lines[1:]], "its first line was changed"),
    "no first line": (lambda lines: lines[1:], "its first line was changed"),
}


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damage_in_the_middle_is_told_and_left(tmp_path, damage, durability):
    """Byte for byte; the ledger goes on in another segment, and a torn one is still put right."""
    break_it, words = damage
    directory = left(tmp_path / "ledger", 5, durability=durability)
    path = only_segment(directory)
    path.write_bytes(b"".join(break_it(path.read_bytes().splitlines(keepends=True))))
    ((torn_name, torn),) = written(4).items()
    (directory / torn_name).write_bytes(torn + TORN_END)
    before = path.read_bytes()
    for again in (False, True):
        ledger, load = guarded(directory)
        with ledger:
            load(7)
            found = {each.segment: each for each in ledger.health().recovered}
        assert words in found[path.stem].damaged
        assert (found[path.stem].aside, found[path.stem].set_aside) == (None, 0)
        assert path.read_bytes() == before
        assert (torn_name.removesuffix(".jsonl") in found) is not again
    assert [path.stem in each for each in problems(directory)] == [True]


def test_a_guard_tells_what_is_damaged(tmp_path, caplog):
    """The log event of the guard names the segment, and the line."""
    directory = left(tmp_path / "ledger")
    path = only_segment(directory)
    path.write_bytes(changed(path.read_bytes()))
    ledger, load = guarded(directory)
    with ledger:
        load(7)
    told = [each.message for each in caplog.records if "is damaged" in each.message]
    assert len(told) == 1
    assert path.stem in told[0]
    assert "line 3 is damaged, and whole lines follow it" in told[0]


def test_a_changed_last_line(tmp_path):
    """A whole line that is wrong is damage where a kill is all that a record must survive."""
    directory = left(tmp_path / "ledger")
    path = only_segment(directory)
    *lines, last = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, changed(last)]))
    before = content(directory)
    (found,) = opened_and_closed(directory)
    assert found.damaged == f"line {len(lines) + 1}, the last one, was changed"
    assert content(directory) == before


@pytest.mark.parametrize("behind", [b"x", b"x\n", TORN_END, bytes(9)])
def test_bytes_behind_the_last_line(tmp_path, behind):
    """Nothing that died has written them: they are damage, before and after it is opened."""
    ledger, load = guarded(tmp_path / "ledger", reserve_bytes=0)
    with ledger:
        load(1)
    path = only_segment(ledger.path)
    with path.open("ab") as file:
        file.write(behind)
    before = content(ledger.path)
    assert [each.split(": ")[1] for each in problems(ledger.path)] == [
        "stands behind the segment's end"
    ]
    (found,) = opened_and_closed(ledger.path)
    assert found.damaged == "line 5 stands behind its last line"
    assert content(ledger.path) == before


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("key", []),
        ("key", {}),
        ("key", 7),
        ("previous", "x"),
        ("previous", [1]),
        ("previous", {"seq": "x"}),
        ("segment", {}),
    ],
)
def test_a_first_line_of_odd_types(tmp_path, member, value):
    """Whoever can write the file can't keep the ledger from opening, nor from being verified."""
    directory = left(tmp_path / "ledger")
    path = only_segment(directory)
    first, rest = path.read_bytes().split(b"\n", 1)
    opened = {**json.loads(first), member: value}
    path.write_bytes(json.dumps(opened, separators=(",", ":")).encode() + b"\n" + rest)
    (found,) = opened_and_closed(directory)
    assert found.damaged == "its first line was changed"
    assert len(problems(directory)) == 1
    assert len(list(heads(directory, keys_by_id([KEY])))) <= 1


def test_a_last_line_of_odd_types(tmp_path):
    """A line that only looks like one is no reason to fail."""
    for number, start in enumerate((b"{}", b'"x","kind":"close","synced":3', bytes(9), b"1e999")):
        directory = left(tmp_path / f"ledger-{number}")
        path = only_segment(directory)
        with path.open("ab") as file:
            file.write(b'{"seq":' + start + b',"mac":"' + b"0" * 32 + b'"}\n')
        (found,) = opened_and_closed(directory)
        assert found.damaged == "line 6, the last one, was changed"
        assert len(problems(directory)) == 1
        assert len(list(heads(directory, keys_by_id([KEY])))) == 1


def test_a_link_in_place_of_a_segment(tmp_path):
    """It is told and not followed."""
    directory = left(tmp_path / "ledger")
    path = only_segment(directory)
    target = tmp_path / "elsewhere"
    path.rename(target)
    path.symlink_to(target)
    with target.open("ab") as file:
        file.write(TORN_END)
    before = target.read_bytes()
    (found,) = opened_and_closed(directory)
    assert "can't be opened" in found.damaged
    assert target.read_bytes() == before


# What was never synced, under durability `power`


def batch(directory, *, end):
    """Write a segment whose last lines were one write: they say that only line 2 was on disk."""
    journal = Journal(directory, key=KEY, durability="power")
    journal.line("policy", {"digest": "0" * 64, "name": "shop", "version": "1", "synced": 1})
    synced = journal.path.stat().st_size
    for _ in range(3):
        journal.line("access", {**ACCESS, "synced": 2})
    if end:
        journal.line("close", {"cause": "rotated", "synced": 2})
    return journal.path, synced


@pytest.mark.parametrize("end", [True, False], ids=["with its end", "without its end"])
def test_a_hole_in_what_was_never_synced(tmp_path, end):
    """Whole lines behind it, the segment's end among them, were never relied on."""
    path, synced = batch(tmp_path / "ledger", end=end)
    whole = path.read_bytes()
    torn = bytes(100) + whole[synced + 100 :]
    path.write_bytes(whole[:synced] + torn)
    (found,) = opened_and_closed(path.parent)
    assert (found.damaged, found.set_aside) == (None, len(torn))
    assert (path.parent / found.aside).read_bytes() == torn
    assert [line["kind"] for line in lines_of(path)] == ["open", "policy", "recovered"]
    assert_settled(path.parent)


def test_an_end_that_is_whole_is_left_alone(tmp_path):
    """Also where it was written with the lines before it."""
    path, _ = batch(tmp_path / "ledger", end=True)
    before = content(path.parent)
    assert opened_and_closed(path.parent) == ()
    assert content(path.parent) == before
    assert_settled(path.parent)


@pytest.mark.parametrize(("durability", "fine"), [("power", True), ("process", False)])
def test_lines_of_a_segment_that_was_given_up(tmp_path, durability, fine):
    """All lines of a write whose sync failed may be there, and the next segment knows of none."""
    journal = Journal(tmp_path / "ledger", key=KEY, durability=durability)
    kept = (journal.seq, journal.chain.mac, journal._last)
    for _ in range(5):
        journal.access()
    journal.seq, journal.chain.mac, journal._last = kept
    journal.open("EIO")
    journal.close()
    assert (problems(journal.directory) == []) is fine
    opened_and_closed(journal.directory)
    assert (problems(journal.directory) == []) is fine


def test_a_given_up_segment_must_hold_what_the_next_one_goes_on_from(tmp_path):
    """A cause in the next one's first line excuses more lines, not others."""
    journal = Journal(tmp_path / "ledger", key=KEY, durability="power")
    journal.access()
    journal.seq, journal.chain.mac = 1, bytes(16)
    journal._last = {"segment": journal.segment, "seq": 1, "mac": "0" * 32}
    journal.open("EIO")
    journal.close()
    (found,) = problems(journal.directory)
    assert "doesn't go on from the end of the one before" in found


# Segments that are not to be touched

LIVING = """
import sys
from crash_kit import guarded
load = guarded(sys.argv[1])[1]
load(1)
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_segment_in_use_is_left_alone(tmp_path):
    """Whatever stands at its end, until its process has died."""
    directory = tmp_path / "ledger"
    living = subprocess.Popen(
        [sys.executable, "-c", LIVING, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=HERE,
    )
    with living:
        assert living.stdout.readline() == b"ready\n"
        path = only_segment(directory)
        with path.open("ab") as file:
            file.write(TORN_END)
        (reserve,) = directory.glob("*.reserve")
        os.utime(reserve, (time.time() - 3600,) * 2)
        before = content(directory)
        assert opened_and_closed(directory) == ()
        assert content(directory) == before
        assert problems(directory) == []
        living.send_signal(signal.SIGKILL)
    (found,) = opened_and_closed(directory)
    assert (found.segment, found.set_aside) == (path.stem, len(TORN_END))
    assert not reserve.exists()
    assert_settled(directory)


@pytest.mark.parametrize("look", [problems, opened_and_closed], ids=["verify", "open"])
def test_a_segment_that_is_being_made_is_left_to_its_process(tmp_path, monkeypatch, look):
    """Who looks between its making and its lock doesn't take the lock from its process."""
    directory = tmp_path / "ledger"
    ledger, load = guarded(directory, reserve_bytes=0)
    locked, kept = segment.locked, []

    def lasting(descriptor, **more):
        kept.append(os.dup(descriptor))  # holds the lock as long as a slow look would
        return locked(descriptor, **more)

    def late(descriptor):
        assert [path.stat().st_size for path in directory.glob("*.jsonl")] == [0]
        look(directory)
        return locked(descriptor)

    monkeypatch.setattr(reading, "locked", lasting)
    monkeypatch.setattr(recovery, "locked", lasting)
    monkeypatch.setattr(segment, "locked", late)
    try:
        with ledger:
            assert load(1) == b"1\n"
    finally:
        for descriptor in kept:
            os.close(descriptor)
    assert len(accesses(directory)) == 1
    assert_settled(directory)


@pytest.mark.parametrize("key", [OTHER_KEY, None], ids=["another key", "no key"])
def test_a_segment_of_another_key_is_left_alone(tmp_path, monkeypatch, key):
    """Only who has its key can end its chain."""
    monkeypatch.delenv("PURPOSEGUARD_LEDGER_KEY", raising=False)
    journal = Journal(tmp_path / "ledger", key=key)
    journal.access()
    journal.raw(TORN_END)
    before = content(journal.directory)
    assert opened_and_closed(journal.directory) == ()
    assert content(journal.directory) == before
    with Ledger(journal.directory, key=key, reserve_bytes=0) as ledger:
        assert [each.set_aside for each in ledger.health().recovered] == [len(TORN_END)]
    verdict = verify(journal.directory, keys_by_id([KEY, OTHER_KEY]), allow_plain=key is None)
    assert verdict.problems == []


def test_a_segment_of_a_later_format_is_left_alone(tmp_path):
    """An older version that is put back must not tear what it can't read."""
    directory = left(tmp_path / "ledger")
    path = only_segment(directory)
    path.write_bytes(path.read_bytes().replace(b'"format":1', b'"format":2', 1)[:2000] + TORN_END)
    before = content(directory)
    assert opened_and_closed(directory) == ()
    assert content(directory) == before


# Segments that were hardly begun


def test_an_empty_segment(tmp_path):
    """Its process died before it wrote; it stays."""
    ((name, _),) = written(3).items()
    directory = restored(tmp_path / "ledger", {name: b""})
    assert opened_and_closed(directory) == ()
    assert content(directory) == {name: b""}
    assert_settled(directory)


def test_a_first_line_in_part(tmp_path):
    """It is set aside wherever it ends, and leaves an empty segment: there is no chain to end."""
    ((name, whole),) = written(3).items()
    first = whole.index(b"\n")
    for cut in [*range(1, first, effort(37, 7, 1)), first]:
        directory = restored(tmp_path / f"cut-{cut}", {name: whole[:cut]})
        (found,) = opened_and_closed(directory)
        assert (found.damaged, found.set_aside) == (None, cut)
        assert content(directory) == {name: b"", f"{name}.torn-1": whole[:cut]}
        assert_settled(directory)


@pytest.mark.parametrize("next_one", [None, b"", b'{"seq":9,"kind":"op'])
def test_killed_between_two_segments(tmp_path, next_one):
    """The full one is ended, and the next one is not there, empty, or begun in part."""
    files = dict(written(20, segment_bytes=4096))
    names = sorted(files)
    assert len(names) > 1
    first = files[names[0]]
    assert b'"cause":"rotated"' in first.splitlines()[-1]
    if next_one is not None:
        files[names[1]] = next_one
    kept = names[: 1 if next_one is None else 2]
    directory = restored(tmp_path / "ledger", {name: files[name] for name in kept})
    found = opened_and_closed(directory)
    assert [each.set_aside for each in found] == ([len(next_one)] if next_one else [])
    assert (directory / names[0]).read_bytes() == first
    assert_settled(directory)


# The reserve


@pytest.mark.parametrize("blanks", [1, 100, 9000])
def test_a_segment_begun_in_the_reserve(tmp_path, blanks):
    """The blank lines at its end mean nothing: they go, and nothing is set aside."""
    directory = left(tmp_path / "ledger")
    path = only_segment(directory)
    good = path.read_bytes()
    path.write_bytes(good + b"\n" * blanks)
    assert problems(directory) == []
    assert opened_and_closed(directory) == ()
    assert list(directory.iterdir()) == [path]
    assert path.read_bytes().startswith(good + b"{")
    assert lines_of(path)[-1]["kind"] == "recovered"
    assert lines_of(path)[-1]["bytes"] == 0
    assert_settled(directory)


def test_an_ended_segment_may_end_in_blank_lines(tmp_path):
    """There is nothing to do about it."""
    directory = left(tmp_path / "ledger")
    opened_and_closed(directory)
    with only_segment(directory).open("ab") as file:
        file.write(b"\n" * 3000)
    assert_settled(directory)


def test_reserves_of_the_dead_are_removed(tmp_path):
    """Those that are old, ours by name and content, and that nobody has open; nothing else."""
    directory = tmp_path / "ledger"
    with Ledger(directory, key=KEY, reserve_bytes=4096):
        (living,) = directory.glob("*.reserve")
        stale, fresh, full, pipe = (
            living.with_name(f"{living.stem[:-8]}{digit * 8}.reserve") for digit in "1234"
        )
        kept = [full, directory / "notes.txt", directory / "x.jsonl.torn-1"]
        kept.append(directory / "notes.reserve")
        for path in (stale, fresh, *kept[1:]):
            path.write_bytes(b"\n\n")
        full.write_bytes(b"\nimportant\n")
        os.mkfifo(pipe)
        for path in (living, stale, pipe, *kept):
            os.utime(path, (time.time() - 3600,) * 2)
        opened_and_closed(directory)
        assert set(directory.iterdir()) == {living, fresh, pipe, *kept}
    assert set(directory.iterdir()) == {fresh, pipe, *kept}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("plant", ["pipe", "far number", "endless seq", "text for seq"])
def test_a_planted_file_keeps_nobody_from_opening(tmp_path, plant):
    """It is told at most, and the ledger works."""
    directory = tmp_path / "ledger"
    journal = Journal(directory, key=KEY)
    journal.access()
    journal.line("close", {"cause": "closed"})
    pipe = directory / f"{journal.segment[:-1]}2.jsonl"
    if plant == "pipe":
        os.mkfifo(pipe)
    elif plant == "far number":
        (directory / f"{journal.segment[:-6]}{'9' * 12}.jsonl").touch()
    else:
        journal = Journal(directory, key=KEY, digits="00000001")
        text = journal.path.read_text()
        seq = "Infinity" if plant == "endless seq" else '"1"'
        previous = f'"previous":{{"segment":"a","seq":{seq},"mac":""}}'
        journal.path.write_text(text.replace('"previous":null', previous))
    ledger, load = guarded(directory)
    with ledger:
        load(7)
    verify(directory, keys_by_id([KEY]))
    pipe.unlink(missing_ok=True)
    assert len(accesses(directory)) >= 2


def test_a_large_hole_is_set_aside_in_blocks(tmp_path):
    """Opening takes no more memory for it."""
    directory = left(tmp_path / "ledger")
    path = only_segment(directory)
    os.truncate(path, path.stat().st_size + 256 * 1024 * 1024)
    tracemalloc.start()
    (found,) = opened_and_closed(directory)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.set_aside == 256 * 1024 * 1024
    assert peak < 128 * 1024 * 1024
    assert_settled(directory)


# The naive ledger


def test_a_naive_ledger_glues_a_torn_line_and_the_next(tmp_path):
    """What it writes first after a crash can't be read, though it was acknowledged."""
    ledger = NaiveLedger(tmp_path)
    ledger.access(1)
    ledger.close()
    whole = ledger.path.read_bytes()
    ledger.path.write_bytes(whole + whole[:-5])
    again = NaiveLedger(tmp_path)
    again.access(2)
    again.close()
    assert naive_numbers(tmp_path) == [1]


def test_a_naive_ledger_says_nothing_of_damage(tmp_path):
    """A line that is changed or missing looks like one that was written so."""
    ledger = NaiveLedger(tmp_path)
    for number in range(4):
        ledger.access(number)
    ledger.close()
    lines = ledger.path.read_bytes().splitlines(keepends=True)
    ledger.path.write_bytes(lines[0] + lines[2].replace(b"2", b"9") + lines[3])
    NaiveLedger(tmp_path).close()
    assert naive_numbers(tmp_path) == [0, 9, 3]
