"""What an operator sees of a ledger: health, metrics, checkpoints, and what is put in its place."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_kit import KEY, POLICY, PURPOSE, Service, lines, open_ledger, segments, verdict
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from purposeguard import Guard, Ledger, LedgerError, UnknownNameError
from purposeguard.evidence.ledger import segment
from purposeguard.evidence.ledger.checkpoints import read_checkpoints
from purposeguard.testing import capture

NAMES = ("written", "lost", "refused", "pending")


class Figures:
    """What an SDK's reader sees of ledgers."""

    def __init__(self):
        self._reader = InMemoryMetricReader()
        self.provider = MeterProvider([self._reader], shutdown_on_exit=False)
        self.units = {}
        self.monotonic = {}

    def __call__(self):
        found = {}
        data = self._reader.get_metrics_data()
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            name = metric.name.removeprefix("purposeguard.ledger.")
            if name in NAMES:
                (point,) = metric.data.data_points
                assert not point.attributes
                assert metric.description
                found[name] = point.value
                self.units[name] = metric.unit
                self.monotonic[name] = metric.data.is_monotonic
        return tuple(found.get(name) for name in NAMES)


@pytest.fixture
def figures():
    """Return a reader of metrics."""
    return Figures()


def fail_to_write(ledger):
    """Have the current segment fail, and no other one begun until `work_again`."""
    journal = ledger._journal
    ledger._keeper.stop()
    journal._look_at = time.time_ns() + 10**12
    current = journal._segments.current
    os.close(current._descriptor)
    current._descriptor = -1


def work_again(ledger):
    """Let it begin a segment."""
    ledger._journal._segments.retry_at = 0


def touching(guard):
    """Return a guarded function."""
    return guard.access("candidate", purpose=PURPOSE)(lambda: 1)


def test_health_follows_a_ledger_through_its_life(tmp_path):
    """Before the first record, while it works, while it fails, after that, and closed."""
    ledger = open_ledger(tmp_path)
    guard = Guard(POLICY, ledger=ledger)
    touch = touching(guard)
    health = guard.health().ledger
    assert (health.segment, health.written, health.failing) == (None, 0, None)
    touch()
    health = guard.health().ledger
    assert f"{health.segment}.jsonl" == segments(tmp_path)[0].name
    assert health.written == 1
    fail_to_write(ledger)
    with pytest.raises(LedgerError):
        touch()
    health = guard.health().ledger
    assert (health.failing, health.refused, health.written) == ("EBADF", 1, 1)
    work_again(ledger)
    touch()
    health = guard.health().ledger
    assert (health.failing, health.refused, health.written, health.lost) == (None, 1, 2, 0)
    ledger.close()
    assert guard.health().ledger.written == 2
    assert Guard(POLICY).health().ledger is None


def test_health_says_what_was_recovered(tmp_path):
    """What opening has put right, and what it has found damaged."""
    ledger = open_ledger(tmp_path)
    touching(Guard(POLICY, ledger=ledger))()
    (path,) = segments(tmp_path)
    kept = path.read_bytes()
    ledger.close()
    path.write_bytes(kept + b"{")
    damaged = path.with_name(path.name.replace("-000001", "-000002"))
    damaged.write_bytes(kept[:-1] + b"\n" + kept)
    with open_ledger(tmp_path) as again:
        found = Guard(POLICY, ledger=again).health().ledger.recovered
    assert [(each.segment, each.set_aside, each.damaged is None) for each in found] == [
        (path.stem, 1, True),
        (damaged.stem, 0, False),
    ]


def test_metrics_are_counters_and_one_level(figures, tmp_path):
    """Written, lost and refused only grow; pending goes up and down."""
    with open_ledger(tmp_path) as ledger:
        guard = Guard(POLICY, ledger=ledger, meter_provider=figures.provider)
        touching(guard)()
        assert figures() == (1, 0, 0, 0)
    assert figures.monotonic == {"written": True, "lost": True, "refused": True, "pending": False}
    assert figures.units == {
        "written": "{record}",
        "lost": "{record}",
        "refused": "{access}",
        "pending": "{record}",
    }


def test_without_a_ledger_there_are_no_figures_of_one(figures):
    """Nothing is zero that isn't there."""
    touching(Guard(POLICY, meter_provider=figures.provider))()
    assert figures() == (None,) * 4


def test_pending_counts_what_waits_for_the_disk(figures, tmp_path, monkeypatch):
    """While the disk works the lines that wait are seen, and then none."""
    seen = []
    to_disk = segment._to_disk

    def slow(descriptor):
        seen.append(figures()[3])
        to_disk(descriptor)

    with open_ledger(tmp_path, durability="power") as ledger:
        guard = Guard(POLICY, ledger=ledger, meter_provider=figures.provider)
        touch = touching(guard)
        touch()
        monkeypatch.setattr(segment, "_to_disk", slow)
        touch()
        touch()
        assert seen == [1, 1]
        assert figures() == (3, 0, 0, 0)


def test_counters_never_fall(figures, tmp_path):
    """Whatever takes a ledger's place, and whether it was closed: sums over all there were."""
    guard = Guard(POLICY, meter_provider=figures.provider)
    touch = touching(guard)
    before = (0, 0, 0, 0)
    for number in range(4):
        ledger = open_ledger(tmp_path / str(number), required=number % 2 == 0)
        guard.load(POLICY, ledger=ledger)
        touch()
        touch()
        fail_to_write(ledger)
        if ledger.required:
            with pytest.raises(LedgerError):
                touch()
        else:
            assert touch() == 1
        if number < 2:
            ledger.close()
        del ledger
        now = figures()
        assert all(new >= old for new, old in zip(now, before, strict=True))
        before = now
    assert before == (8, 2, 2, 0)
    assert guard.health().ledger.written == 2


def test_guards_that_share_a_ledger_count_it_once(figures, tmp_path):
    """Figures are a ledger's, not a guard's."""
    with open_ledger(tmp_path) as ledger:
        for _ in range(3):
            guard = Guard(POLICY, ledger=ledger, meter_provider=figures.provider)
            touching(guard)()
        assert figures() == (3, 0, 0, 0)


@pytest.mark.parametrize("wrong", ["a path", Path("a"), 7, True, Ledger, object()])
def test_what_is_no_ledger_swaps_nothing(wrong, tmp_path):
    """One clear error; policy, mode and ledger stay as they are, and it goes on being written."""
    with pytest.raises(UnknownNameError, match="`ledger` is no ledger: give"):
        Guard(POLICY, ledger=wrong)
    with open_ledger(tmp_path) as ledger:
        guard = Guard(POLICY, ledger=ledger)
        other = replace(POLICY, version="another")
        with pytest.raises(UnknownNameError, match="`ledger` is no ledger: give"):
            guard.load(other, mode="observe", ledger=wrong)
        assert guard.policy is POLICY
        assert guard.health().mode == "enforce"
        touching(guard)()
        assert guard.health().ledger.written == 1


def test_a_policy_that_is_refused_swaps_no_ledger(tmp_path):
    """A load does all or nothing."""
    with open_ledger(tmp_path / "one") as one, open_ledger(tmp_path / "other") as other:
        guard = Guard(POLICY, ledger=one)
        with pytest.raises(Exception, match="no_such_file"):
            guard.load(tmp_path / "no_such_file.yaml", ledger=other)
        touching(guard)()
    assert len(lines(tmp_path / "one", "access")) == 1
    assert lines(tmp_path / "other") == []


def test_a_load_without_a_ledger_keeps_the_one_there_is(tmp_path):
    """Policies come and go, and one ledger has all of it."""
    with open_ledger(tmp_path) as ledger:
        guard = Guard(POLICY, ledger=ledger)
        touch = touching(guard)
        touch()
        guard.load(POLICY, mode="observe")
        touch()
    assert [line["mode"] for line in lines(tmp_path, "access")] == ["enforce", "observe"]


@pytest.mark.parametrize("durability", ["process", "power"])
def test_observe_never_raises_for_a_ledger_that_fails(durability, tmp_path):
    """Not one that fails at once, nor one that is closed; each access is counted as lost."""
    ledger = open_ledger(tmp_path, durability=durability)
    guard = Guard(POLICY, mode="observe", ledger=ledger)
    touch = touching(guard)
    assert touch() == 1
    fail_to_write(ledger)
    with guard.purpose("marketing.information"):
        assert guard.check("candidate").outcome == "violation"
    assert touch() == 1
    health = guard.health().ledger
    assert (health.written, health.lost, health.refused) == (1, 2, 0)
    ledger.close()
    assert touch() == 1
    assert guard.health().ledger.lost == 3
    assert sum(line["count"] for line in lines(tmp_path, "lost")) == 2


def test_a_cell_that_is_observed_is_let_through_and_one_that_is_enforced_is_not(tmp_path):
    """A required ledger applies to enforced accesses, cell by cell."""
    ledger = open_ledger(tmp_path)
    guard = Guard(POLICY, modes={f"*:{PURPOSE}": "observe"}, ledger=ledger)
    touch = touching(guard)
    enforced = guard.access("candidate", purpose="recruitment.contact")(lambda: 1)
    assert touch() + enforced() == 2
    fail_to_write(ledger)
    assert touch() == 1
    with pytest.raises(LedgerError):
        enforced()
    assert (ledger.health().lost, ledger.health().refused) == (1, 1)
    ledger.close()


def test_what_is_refused_shows_in_capture(tmp_path):
    """With its mark, among the denied, and nowhere among the permitted."""
    ledger = open_ledger(tmp_path)
    guard = Guard(POLICY, ledger=ledger)
    touch = touching(guard)
    with capture(guard) as records:
        touch()
        fail_to_write(ledger)
        with pytest.raises(LedgerError) as caught:
            touch()
    ledger.close()
    assert [(record.outcome, record.refused) for record in records] == [
        ("permit", False),
        ("permit", True),
    ]
    assert records.permitted == records[:1]
    assert records.denied == records[1:]
    assert caught.value.decision == records[1].decision


# Checkpoints as log events.


def told(texts):
    """Return the checkpoints in what was told."""
    marker = "checkpoint of the ledger: "
    return [
        checkpoint
        for text in texts
        if marker in text
        for checkpoint in read_checkpoints(text.partition(marker)[2])
    ]


def test_checkpoints_go_out_through_an_sdk(tmp_path):
    """As an event of its own, whose attributes hold what a search needs, and at level INFO."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    with open_ledger(tmp_path, segment_bytes=4096) as ledger:
        touch = touching(Guard(POLICY, ledger=ledger, logger_provider=provider))
        touch()
        made = ledger.checkpoint()
        for _ in range(30):
            touch()
    events = [
        each.log_record
        for each in exporter.get_finished_logs()
        if each.log_record.event_name == "purposeguard.ledger"
    ]
    checkpoints = told(event.body for event in events)
    assert len(checkpoints) == len(events) == 1 + len(segments(tmp_path))
    assert checkpoints[0] == made
    for event, checkpoint in zip(events, checkpoints, strict=True):
        assert event.severity_text in (None, "INFO")
        assert event.severity_number.name == "INFO"
        assert event.attributes["purposeguard.ledger.status"] == "checkpoint"
        assert event.attributes["purposeguard.ledger.seq"] == checkpoint.seq
        assert event.attributes["purposeguard.ledger.mac"] == checkpoint.mac
        assert event.attributes["purposeguard.ledger.segment"] == checkpoint.segment
        kept = event.attributes["purposeguard.ledger.checkpoint"]
        assert list(read_checkpoints(kept)) == [checkpoint]
    closing = [line["seq"] for line in lines(tmp_path, "close")]
    assert [checkpoint.seq for checkpoint in checkpoints[1:]] == closing
    assert verdict(tmp_path, checkpoints).intact


PROGRAM = """
import asyncio, logging, os, signal, sys, threading, time
logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout)
from ledger_kit import *
ledger = open_ledger({place!r}, checkpoint_seconds=0.2, durability={durability!r})
guard = Guard(POLICY, ledger=ledger)
touch = guard.access("candidate", purpose=PURPOSE)(lambda: 1)
touch()
"""
ENDINGS = {
    "the end": "",
    "sys.exit": "sys.exit(0)",
    "an error": "raise RuntimeError",
    "with a thread": "threading.Thread(target=lambda: [time.sleep(0.2), touch()]).start()",
    "of a loop": "asyncio.run(asyncio.sleep(0))",
}


def run(place, more, durability="process"):
    """Run a program with a ledger and return what it has said."""
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(place=str(place), durability=durability) + more],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        timeout=60,
    )


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_end_of_a_process_tells_the_last_checkpoint(ending, durability, tmp_path):
    """However it ends but by a kill: the checkpoint is of the closing line."""
    done = run(tmp_path, ENDINGS[ending], durability)
    assert done.returncode == (1 if ending == "an error" else 0), done.stderr
    checkpoints = told(done.stdout.splitlines())
    assert verdict(tmp_path, checkpoints).intact
    last = lines(tmp_path)[-1]
    assert (last["kind"], last["seq"]) == ("close", checkpoints[-1].seq)
    assert len(lines(tmp_path, "access")) == (2 if ending == "with a thread" else 1)


def test_checkpoints_are_told_at_intervals_while_there_is_something_new(tmp_path):
    """A quiet ledger says nothing: a head that was told is not told again."""
    more = """
for _ in range(3):
    time.sleep(0.5)
    print("now", flush=True)
    touch()
time.sleep(1.5)
print("killed", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = run(tmp_path, more)
    assert done.returncode == -signal.SIGKILL, done.stderr
    checkpoints = told(done.stdout.splitlines())
    heads = [checkpoint.seq for checkpoint in checkpoints]
    assert heads == sorted(set(heads))
    assert 3 <= len(heads) <= 4
    assert heads[-1] == lines(tmp_path)[-1]["seq"]
    assert verdict(tmp_path, checkpoints).intact
    (path,) = segments(tmp_path)
    path.write_bytes(b"".join(path.read_bytes().splitlines(True)[:-1]))
    assert verdict(tmp_path).intact
    assert not verdict(tmp_path, checkpoints).intact


def test_a_checkpoint_is_one_line_of_json(tmp_path):
    """What is shipped elsewhere is read back as it was."""
    with Service(tmp_path, key=KEY) as service:
        assert service.ledger.checkpoint() is None
        service.touch()
        made = service.ledger.checkpoint()
    text = made.text()
    assert "\n" not in text
    assert text.isascii()
    assert list(json.loads(text)) == [
        *("purposeguard_checkpoint", "time", "segment", "seq", "mac", "key", "signature"),
    ]
    assert list(read_checkpoints(f"\n{text}\n\n{text}\n")) == [made, made]
