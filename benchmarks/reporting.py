"""The report of a ledger: how long it takes, over JSON lines and over Parquet, and how much memory.

The ledger is written by the tests' own writer of ledgers, which is quick. Each report is a command
in a process of its own, on two processors; its start is counted.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

from benchmarks.measuring import MIB, SIZES, Figure, Size

sys.path.append(str(Path(__file__).parent.parent / "tests" / "ledger"))
from ledger_texts import Journal, quick_members

JOURNALS = 4
SEGMENTS = 3
"""Of each journal."""

PROCESSORS = 2
JSON_SECONDS, PARQUET_SECONDS = 10, 1
"""The goals, for the full size."""


class Run(NamedTuple):
    """What one command took."""

    seconds: float
    processor_seconds: float
    """Those of all threads: what a busy neighbour disturbs less."""
    mebibytes: float
    """Of memory, at its peak."""


def reporting(size: Size) -> Iterator[Figure]:
    """Measure the report from JSON lines, the export, and the report from what it made."""
    with tempfile.TemporaryDirectory(dir=".", prefix=".benchmark-") as directory:
        ledger, parquet = Path(directory) / "ledger", Path(directory) / "export.parquet"
        with ProcessPoolExecutor(PROCESSORS) as pool:
            share = size.records // JOURNALS
            list(pool.map(_write, [ledger] * JOURNALS, range(JOURNALS), [share] * JOURNALS))
        records = f"{share * JOURNALS:,} records"
        written = sum(file.stat().st_size for file in ledger.iterdir())
        yield Figure(f"a ledger of {records}", written / MIB, "MiB")
        full = size.records >= SIZES["full"].records
        report = ("report", "--format", "json")
        yield from _figures(
            f"report of {records}, JSON lines",
            _run(*report, ledger),
            JSON_SECONDS if full else None,
        )
        yield from _figures(
            f"export of {records}", _run("export", ledger, "--parquet", parquet), None
        )
        yield Figure("the export", parquet.stat().st_size / MIB, "MiB")
        yield from _figures(
            f"report of {records}, Parquet",
            _run(*report, parquet),
            PARQUET_SECONDS if full else None,
        )


def _figures(what: str, run: Run, at_most: float | None) -> Iterator[Figure]:
    yield Figure(what, run.seconds, "s", at_most=at_most, of="value")
    yield Figure("the same: processor time", run.processor_seconds, "s")
    yield Figure("the same: memory at its peak", run.mebibytes, "MiB")


def _write(ledger: Path, number: int, records: int) -> None:
    journal = Journal(ledger, process=1_000 + number, digits=f"{number:08x}", key=b"k" * 16)
    journal.step = timedelta(milliseconds=3)
    texts = quick_members(number)
    for segment in range(SEGMENTS):
        journal.policy()
        journal.many(texts, records // SEGMENTS + (segment < records % SEGMENTS))
        if segment < SEGMENTS - 1:
            journal.rotate()
    journal.close()


def _run(*arguments: str | Path) -> Run:
    command: Sequence[str | Path] = (sys.executable, "-m", "purposeguard", "ledger", *arguments)
    start = time.perf_counter()
    with tempfile.TemporaryFile() as printed, _few_processors():
        child = subprocess.Popen(command, stdout=printed)
        _, status, used = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if child.returncode:
        raise RuntimeError(f"`ledger {arguments[0]}` failed with status {child.returncode}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * unit / MIB)


@contextmanager
def _few_processors() -> Iterator[None]:
    """Let what is started meanwhile run on no more than two."""
    if not hasattr(os, "sched_setaffinity"):  # macOS
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:PROCESSORS])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
