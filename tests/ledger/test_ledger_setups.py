"""In processes that set an SDK for all, as applications do, the ledger's content is the same.

The set-ups of one guard are in tests/evidence/test_evidence_setups.py.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from ledger_kit import KEY, assert_intact, lines

from effort import effort

EVIDENCE = Path(__file__).parents[1] / "evidence"
VARYING = ("seq", "time", "trace", "span", "mac", "synced")
"""What of a record differs from run to run by its nature."""

PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from purposeguard import Ledger
{before}
from evidence_program import run
with Ledger(sys.argv[2], durability=sys.argv[3], key={key!r}) as ledger:
    results, records, guard = run(ledger=ledger)
assert not guard.health().faults
{after}
print(len(results))
"""
SDK = """
from opentelemetry import trace, metrics, _logs
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
exporter = InMemorySpanExporter()
tracing = TracerProvider()
tracing.add_span_processor(BatchSpanProcessor(exporter))
trace.set_tracer_provider(tracing)
metrics.set_meter_provider(MeterProvider())
_logs.set_logger_provider(LoggerProvider())
"""
EXPORTED = """
tracing.force_flush()
print(len(exporter.get_finished_spans()))
"""
SETUPS = {
    "an SDK": {},
    "disabled": {"OTEL_SDK_DISABLED": "true"},
    "sampled out": {"OTEL_TRACES_SAMPLER": "always_off"},
    "limits": {"OTEL_ATTRIBUTE_COUNT_LIMIT": "1", "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1"},
    "a sampler of nothing": {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0"},
}
DURABILITIES = ("process", "power")


def run(place, durability, environment=None):
    """Run the program in a process of its own; return what it has printed, and the records."""
    before, after = ("", "") if environment is None else (SDK, EXPORTED)
    code = PROGRAM.format(before=before, after=after, key=KEY)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(EVIDENCE), str(place), durability],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env={"PYTHONPATH": ":".join(sys.path), **(environment or {})},
    )
    assert done.returncode == 0, done.stderr
    assert_intact(place)
    kept = [
        json.dumps({key: value for key, value in line.items() if key not in VARYING})
        for line in lines(place)
        if line["kind"] in ("access", "policy", "refused", "lost", "recovered", "close")
    ]
    return list(map(int, done.stdout.split())), kept


@pytest.fixture(scope="module")
def baseline(tmp_path_factory):
    """Return what the program leaves with no SDK at all."""
    _, kept = run(tmp_path_factory.mktemp("baseline"), "process")
    assert len(kept) > 160
    return kept


@pytest.mark.timeout(240)
@pytest.mark.parametrize("number", range(effort(1, 2, 2)))
@pytest.mark.parametrize("name", SETUPS)
def test_the_ledger_is_the_same(name, number, baseline, tmp_path):
    """Sampled, limited or switched off: what the SDK exports differs, what is recorded doesn't."""
    durability = DURABILITIES[(list(SETUPS).index(name) + number) % 2]
    (spans, _), kept = run(tmp_path, durability, SETUPS[name])
    assert kept == baseline
    assert bool(spans) == (name in ("an SDK", "limits"))
