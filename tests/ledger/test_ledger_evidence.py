"""The ledger beside the other evidence: what a record holds, health, metrics, events, modes."""

import errno
import hashlib
import json
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_kit import (
    ELSEWHERE,
    KEY,
    POLICY,
    PURPOSE,
    Service,
    assert_intact,
    lines,
    open_ledger,
    segments,
    verdict,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from purposeguard import (
    AccessDeniedError,
    Guard,
    Ledger,
    LedgerError,
    UndecidedAccessError,
    UnknownNameError,
    UnusableLedgerError,
)
from purposeguard.evidence.ledger import ledger as ledger_module
from purposeguard.evidence.ledger.checkpoints import read_checkpoints
from purposeguard.evidence.ledger.segment import Segment
from purposeguard.testing import capture

SUBJECT_KEY = b"a key for people of the tests"


class Broken(Segment):
    """A segment on a disk that fails."""

    __slots__ = ()

    def write(self, line):
        raise OSError(errno.EIO, "no disk")


def fail(ledger):
    """Make every write of a ledger fail from now on, and keep it from beginning anew."""

    def begin(_):
        raise OSError(errno.EIO, "no disk")

    ledger._journal._segments.current.__class__ = Broken
    ledger._journal._segments.begin = begin


def test_a_record_is_in_the_ledger_before_data_is_released(tmp_path):
    """At the time that the function runs its access is in the file."""
    with open_ledger(tmp_path) as ledger:
        guard = Guard(POLICY, ledger=ledger)

        @guard.access("candidate", purpose=PURPOSE)
        def load():
            return len(lines(tmp_path, "access"))

        assert [load(), load(), load()] == [1, 2, 3]


def test_a_record_holds_what_the_other_records_hold(tmp_path):
    """Ids of the span, keyed hashes, chain, place, service: the same as in `capture`."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    asked = []

    def actor():
        asked.append(1)
        return "ada"

    with open_ledger(tmp_path) as ledger:
        guard = Guard(
            POLICY,
            ledger=ledger,
            subject_key=SUBJECT_KEY,
            actor=actor,
            service="hr",
            tracer_provider=provider,
        )
        load = guard.access("candidate", items=["name"], subject="candidate_id")(
            lambda candidate_id: candidate_id
        )
        with (
            capture(guard) as records,
            guard.purpose("recruitment", root=True),
            guard.purpose(PURPOSE, customer="acme"),
        ):
            load(7)
    assert len(asked) == 1
    (record,) = records
    (line,) = lines(tmp_path, "access")
    (span,) = exporter.get_finished_spans()
    assert line["trace"] == record.trace_id == f"{span.context.trace_id:032x}"
    assert line["span"] == record.span_id == f"{span.context.span_id:016x}"
    assert line["subjects"] == list(record.subjects)
    assert line["customers"] == list(record.customers)
    assert (line["actor"], line["people_key"]) == (record.actor, record.key_id)
    assert line["chain"] == list(record.chain) == ["recruitment", PURPOSE]
    assert line["purposes"] == [PURPOSE]
    assert (line["items"], line["root"], line["service"]) == (["name"], True, "hr")
    assert (line["file"], line["line"]) == (record.file, record.line)
    assert line["clauses"] == list(record.clauses)
    assert line["time"] <= f"{record.time:%Y-%m-%dT%H:%M:%S.%fZ}"
    (told,) = lines(tmp_path, "policy")
    assert told["digest"] == record.decision.policy_digest
    assert told["digest"].startswith(line["policy"])
    (opened,) = lines(tmp_path, "open")
    assert (opened["host"], opened["process"]) == (record.host, record.process)


def test_without_a_subject_key_nobody_is_recorded(tmp_path):
    """The actor isn't even asked."""

    def actor():
        raise AssertionError

    with open_ledger(tmp_path) as ledger:
        guard = Guard(POLICY, ledger=ledger, actor=actor)
        with guard.purpose(PURPOSE, subject=7):
            guard.check("candidate")
    (line,) = lines(tmp_path, "access")
    assert not {"subjects", "customers", "actor", "people_key"} & set(line)


def test_denials_are_recorded_before_they_are_raised(tmp_path):
    """A violation and a gap, with their reasons and without a record of their text."""
    with Service(tmp_path) as service:
        with pytest.raises(AccessDeniedError):
            service.touch(purpose=ELSEWHERE)
        with pytest.raises(UndecidedAccessError):
            service.guard.check("candidate")
        found = lines(tmp_path, "access")
        assert [line["reason"] for line in found] == ["not_granted", "purpose_undeclared"]
        assert [line["outcome"] for line in found] == ["violation", "gap"]


def test_the_chain_is_as_documented(tmp_path):
    """docs/ledger.md is enough to compute every mac: done here apart from the library."""
    with Service(tmp_path, segment_bytes=4096) as service:
        for _ in range(30):
            service.touch()
    key = hashlib.blake2b(KEY, person=b"purposeguard-led").digest()
    mac = b""
    for path in segments(tmp_path):
        for line in path.read_bytes().splitlines():
            body, _, rest = line.rpartition(b',"mac":"')
            if not mac:
                journal = path.stem.rpartition("-")[0].encode()
                mac = hashlib.blake2b(journal, key=key, digest_size=16).digest()
            mac = hashlib.blake2b(mac + body, key=key, digest_size=16).digest()
            assert rest == mac.hex().encode() + b'"}'
    opened = lines(tmp_path, "open")[0]
    assert opened["key"] == hashlib.blake2b(key=key, digest_size=4).hexdigest()


def test_segments_are_private(tmp_path):
    """Nobody but the owner may read them, or the directory that was made for them."""
    place = tmp_path / "a" / "ledger"
    with Service(place) as service:
        service.touch()
        assert place.stat().st_mode & 0o777 == 0o700
        assert {path.stat().st_mode & 0o777 for path in place.iterdir()} == {0o600}


def test_health_and_metrics(tmp_path):
    """What was written, lost and refused, from the guard and from an SDK's reader."""
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)

    def metrics():
        found = reader.get_metrics_data().resource_metrics[0].scope_metrics[0].metrics
        return {
            metric.name.removeprefix("purposeguard.ledger."): metric.data.data_points[0].value
            for metric in found
            if metric.name.startswith("purposeguard.ledger.")
        }

    first = open_ledger(tmp_path / "first")
    guard = Guard(POLICY, ledger=first, meter_provider=meters)
    touch = guard.access("candidate", purpose=PURPOSE)(lambda: 1)
    touch()
    touch()
    assert metrics() == {"written": 2, "lost": 0, "refused": 0, "pending": 0}
    health = guard.health().ledger
    assert (health.written, health.failing) == (2, None)
    assert health.segment == segments(tmp_path / "first")[0].stem
    fail(first)
    with pytest.raises(LedgerError) as caught:
        touch()
    assert caught.value.cause == "EIO"
    assert "EIO" in str(caught.value)
    assert metrics()["refused"] == 1
    assert guard.health().ledger.failing == "EIO"
    second = open_ledger(tmp_path / "second", required=False)
    guard.load(POLICY, ledger=second)
    first.close()
    touch()
    fail(second)
    assert touch() == 1
    assert metrics() == {"written": 3, "lost": 1, "refused": 1, "pending": 0}
    second.close()


def test_what_a_required_ledger_refuses_is_seen_everywhere(tmp_path):
    """The span has an error, `capture` counts it among the denied, and the function never ran."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    ran = []
    with open_ledger(tmp_path) as ledger:
        guard = Guard(POLICY, ledger=ledger, tracer_provider=provider)
        touch = guard.access("candidate", purpose=PURPOSE)(lambda: ran.append(1))
        quick = guard.access("candidate")(lambda: ran.append(1))
        touch()
        fail(ledger)
        with capture(guard) as records, pytest.raises(LedgerError):
            touch()
        with guard.purpose(PURPOSE), pytest.raises(LedgerError):
            quick()
        with pytest.raises(LedgerError), guard.access("candidate", purpose=PURPOSE):
            ran.append(1)
    assert len(ran) == 1
    assert [record.refused for record in records] == [True]
    assert records.denied
    assert not records.permitted
    spans = exporter.get_finished_spans()
    assert [span.status.is_ok for span in spans] == [True, False, False, False]
    assert {span.attributes["error.type"] for span in spans[1:]} == {"LedgerError"}
    refused = lines(tmp_path, "refused")
    assert len(refused) == 3
    assert {line["reason"] for line in refused} == {"granted"}
    assert lines(tmp_path, "open")[-1]["cause"] == "EIO"
    assert_intact(tmp_path)


def test_a_denial_stays_what_it_is_without_a_record(tmp_path):
    """It is raised as a violation, and written into the reserve."""
    with Service(tmp_path) as service:
        service.touch()
        fail(service.ledger)
        with pytest.raises(AccessDeniedError) as caught:
            service.touch(purpose=ELSEWHERE)
        assert not isinstance(caught.value, LedgerError)
    assert lines(tmp_path, "access")[-1]["reason"] == "not_granted"
    assert_intact(tmp_path)


@pytest.mark.parametrize("purpose", [PURPOSE, ELSEWHERE])
def test_observe_raises_nothing(purpose, tmp_path):
    """A required ledger is required for enforced accesses; others are lost, and counted."""
    with Service(tmp_path, mode="observe") as service:
        service.touch(purpose=purpose)
        fail(service.ledger)
        assert service.touch(5, purpose) == 5
        assert service.guard.health().ledger.lost == 1


def test_only_a_ledger_is_a_ledger(tmp_path):
    """What is none is refused, and changes nothing."""
    with pytest.raises(UnknownNameError, match="`ledger` is no ledger"):
        Guard(POLICY, ledger=str(tmp_path))
    guard = Guard(mode="observe")
    with pytest.raises(UnknownNameError):
        guard.load(POLICY, ledger=str(tmp_path))
    assert guard.policy is None


@pytest.mark.parametrize(
    "options",
    [
        {"durability": "disk"},
        {"segment_bytes": 1},
        {"segment_bytes": "8192"},
        {"segment_bytes": True},
        {"reserve_bytes": -1},
        {"checkpoint_seconds": 0},
        {"checkpoint_seconds": float("nan")},
        {"key": "text"},
        {"key": b"short"},
    ],
)
def test_bad_options_are_refused_at_once(options, tmp_path):
    """One clear error, and no file."""
    with pytest.raises(UnusableLedgerError) as caught:
        open_ledger(tmp_path / "ledger", **options)
    assert ": " in str(caught.value)
    assert not (tmp_path / "ledger").exists()


def test_the_key_comes_from_the_environment(tmp_path, monkeypatch):
    """The variable, or the file that the other one names; both at once are refused."""
    monkeypatch.setenv("PURPOSEGUARD_LEDGER_KEY", KEY.decode())
    with Ledger(tmp_path / "one") as ledger:
        Guard(POLICY, ledger=ledger).decide
        Service.touch
    with Service(tmp_path / "two", key=None) as service:
        service.touch()
    assert_intact(tmp_path / "two")
    monkeypatch.setenv("PURPOSEGUARD_LEDGER_KEY_FILE", "x")
    with pytest.raises(UnusableLedgerError, match="both"):
        Ledger(tmp_path / "three")
    monkeypatch.delenv("PURPOSEGUARD_LEDGER_KEY")
    with pytest.raises(UnusableLedgerError, match="can't be read"):
        Ledger(tmp_path / "three")
    (tmp_path / "empty").write_bytes(b"\n")
    monkeypatch.setenv("PURPOSEGUARD_LEDGER_KEY_FILE", str(tmp_path / "empty"))
    with pytest.raises(UnusableLedgerError, match="empty"):
        Ledger(tmp_path / "three")


def test_checkpoints_are_told(tmp_path, caplog):
    """On demand, when a segment ends, and at the end; each is on the chain."""
    caplog.set_level(logging.INFO, "purposeguard")
    with Service(tmp_path, segment_bytes=4096) as service:
        service.touch()
        made = service.ledger.checkpoint()
        assert service.ledger.checkpoint().seq == made.seq
        for _ in range(20):
            service.touch()
    news = [record.purposeguard for record in caplog.records]
    told = [
        each["purposeguard.ledger.checkpoint"]
        for each in news
        if each.get("purposeguard.ledger.status") == "checkpoint"
    ]
    assert json.loads(told[0])["seq"] == made.seq
    assert len(told) == 1 + len(segments(tmp_path))
    assert verdict(tmp_path, list(read_checkpoints("\n".join(told)))).intact


def test_checkpoints_are_told_from_time_to_time(tmp_path, caplog):
    """While it is written to, and once more after the last write."""
    caplog.set_level(logging.INFO, "purposeguard")
    with Service(tmp_path, checkpoint_seconds=0.05) as service:
        service.touch()
        deadline = 200
        while deadline and "checkpoint" not in caplog.text:
            deadline -= 1
            subprocess.run(["sleep", "0.05"], check=True)
    assert deadline


def test_the_end_of_the_process_closes_the_ledger(tmp_path):
    """With its closing line and the last checkpoint, though nobody has called `close`."""
    script = f"""
import logging
logging.basicConfig(level=logging.INFO, format="%(message)s")
from ledger_kit import *
service = Service({str(tmp_path)!r})
service.touch()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    )
    assert done.returncode == 0, done.stderr
    assert "checkpoint of the ledger" in done.stderr
    assert lines(tmp_path)[-1]["kind"] == "close"
    assert [path.suffix for path in tmp_path.iterdir()] == [".jsonl"]


def test_after_close_nothing_is_released(tmp_path):
    """A closed ledger refuses, and closing it again does nothing."""
    service = Service(tmp_path)
    service.touch()
    service.ledger.close()
    service.ledger.close()
    with pytest.raises(LedgerError, match="closed"):
        service.touch()
    assert lines(tmp_path)[-1]["kind"] == "close"


def test_two_guards_share_a_ledger(tmp_path):
    """Both write into one segment, each policy told once; the services tell them apart."""
    with open_ledger(tmp_path) as ledger:
        for service in ("one", "other"):
            guard = Guard(POLICY, ledger=ledger, service=service)
            with guard.purpose(PURPOSE):
                guard.check("candidate")
    assert [line["service"] for line in lines(tmp_path, "access")] == ["one", "other"]
    assert len(lines(tmp_path, "policy")) == 1
    assert_intact(tmp_path)


CANARY = "Kanarie 4711"


def test_names_of_data_never_data(tmp_path, caplog):
    """No argument, result, exception text, identifier, or strange name enters the ledger."""
    caplog.set_level(logging.DEBUG)
    with open_ledger(tmp_path) as ledger:
        guard = Guard(POLICY, ledger=ledger, subject_key=SUBJECT_KEY, actor=lambda: CANARY)

        @guard.access("candidate", subject="value")
        def load(value):
            if value == CANARY * 2:
                raise ValueError(value)
            return value

        with guard.purpose(PURPOSE, customer=CANARY):
            load(CANARY)
            with pytest.raises(ValueError, match=CANARY):
                load(CANARY * 2)
        with guard.purpose(ELSEWHERE), pytest.raises(AccessDeniedError):
            load(CANARY)
        with pytest.raises(UnknownNameError), guard.purpose(CANARY):
            pass
        fail(ledger)
        with guard.purpose(PURPOSE), pytest.raises(LedgerError):
            load(CANARY)
    content = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert len(lines(tmp_path, "access")) == 3
    assert CANARY.encode() not in content
    assert CANARY not in caplog.text
    found = verdict(tmp_path)
    assert CANARY not in str(found)


def test_strange_places_make_whole_lines(tmp_path):
    """A file name with odd bytes, surrogates or line breaks is kept as text, in ASCII."""
    with open_ledger(tmp_path) as ledger:
        guard = Guard(POLICY, ledger=ledger, service="dienst \u2028 \u00e9")
        source = "guard.access('candidate', purpose='recruitment.selection')(lambda: 1)()"
        for name in ("a\nb.py", "caf\u00e9.py", "odd\udcff.py", '"quoted".py', "x" * 5000):
            exec(compile(source, name, "exec"), {"guard": guard, "__name__": "m"})
    found = lines(tmp_path, "access")
    assert [line["file"] for line in found][:3] == ["a\nb.py", "caf\u00e9.py", "odd\\udcff.py"]
    assert len(found) == 5
    assert_intact(tmp_path)
    assert all(path.read_bytes().isascii() for path in segments(tmp_path))


def test_the_names_of_new_directories_are_on_disk(tmp_path, monkeypatch):
    """Under durability `power`: a record is no use in a directory that is gone."""
    synced = []
    monkeypatch.setattr(ledger_module, "sync_directory", synced.append)
    with open_ledger(tmp_path / "a" / "b", durability="power"):
        pass
    assert set(synced) == {tmp_path, tmp_path / "a"}
