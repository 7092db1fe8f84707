"""The benchmarks run. How fast they say it is, they say; no test asserts a time."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("part", "budgets"),
    [
        ("spans", ["2", "4", "4", "4", "6"]),
        ("kinds", []),
        ("conditions", ["11"]),
        ("decisions", ["1"] * 12),
        ("compiling", ["8", "8"]),
        ("importing", ["9"]),
        ("memory", ["10", "10"]),
        ("recording", ["3", "5", "7", "7"]),
        ("reporting", []),
        ("requests", []),
        ("sql", ["12", "12", "12"]),
    ],
)
def test_every_benchmark_runs(part, budgets):
    """Each part measures what it is for, and gives a verdict on each of its budgets."""
    command = [sys.executable, "-W", "error", "-m", "benchmarks", "--tiny", "--no-fail", part]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert (done.returncode, done.stderr) == (0, "")
    judged = [line for line in done.stdout.splitlines() if line.endswith((" ok", "  MISSED"))]
    assert [line.split()[0] for line in judged] == budgets


def test_memory_that_is_kept_is_seen():
    """The measure of memory can fail: a call that keeps 100 kB each time is found out."""
    code = (
        "from benchmarks.memory import growth\n"
        "kept = []\n"
        "print(growth(lambda: kept.append(b'x' * 100_000), 400) > 30_000_000)\n"
        "print(growth(lambda: b'x' * 100_000, 400) < 1_000_000)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.split() == ["True", "True"]


def test_an_unknown_part_is_refused():
    """A part that does not exist is told, not left out."""
    command = [sys.executable, "-m", "benchmarks", "spams"]
    done = subprocess.run(
        command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2
    assert "there is no part `spams`" in done.stderr
