"""Budgets 3, 5 and 7: guarded calls whose record is written into a ledger, on disk."""

import os
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from benchmarks.calls import policy
from benchmarks.measuring import Case, Figure, Size, figures
from benchmarks.setting import CATEGORY, PURPOSE, base_span, guard_for, inside, load, recording
from purposeguard import Guard, Ledger

KEY = b"a key of the benchmarks, no secret"
THREADS = 16
LINE = b"x" * 420 + b"\n"
"""About as long as a record."""


def recorded(size: Size) -> Iterator[Figure]:
    """Measure budgets 3, 5 and 7. The ledgers lie where this is run, on its disk."""
    with tempfile.TemporaryDirectory(dir=".", prefix=".benchmark-") as directory:
        place = Path(directory)
        yield from _calls(place, size)
        yield from _power(place, size)


def _calls(place: Path, size: Size) -> Iterator[Figure]:
    with Ledger(place / "keyed", key=KEY) as keyed, Ledger(place / "plain") as plain:
        seen = guard_for(policy, recording, ledger=keyed)
        silent = guard_for(policy, None, ledger=keyed)
        unkeyed = guard_for(policy, None, ledger=plain)
        calls = [guard.access(CATEGORY)(load) for guard in (seen, silent, unkeyed)]
        with (place / "floor").open("ab", buffering=0) as floor:
            yield from figures(
                [
                    Case("base span once more", lambda: base_span(7), inside()),
                    Case(
                        "guarded call, span and ledger",
                        lambda: calls[0](7),
                        inside(seen.purpose(PURPOSE)),
                        1,
                        "3",
                        1.20,
                    ),
                    Case(
                        "guarded call, no SDK, ledger",
                        lambda: calls[1](7),
                        inside(silent.purpose(PURPOSE)),
                        1,
                        "5",
                        0.40,
                    ),
                    Case(
                        "the same, a plain chain",
                        lambda: calls[2](7),
                        inside(unkeyed.purpose(PURPOSE)),
                    ),
                    Case("a write of 421 bytes, nothing else", lambda: floor.write(LINE), inside()),
                ],
                size,
            )


def _power(place: Path, size: Size) -> Iterator[Figure]:
    """Compare the ledger's group commit with one that does nothing else, in turn."""
    seconds = max(0.02, size.rounds * size.milliseconds / 1000)
    rounds = 1 if size.rounds == 1 else 5
    with Ledger(place / "power", key=KEY, durability="power") as ledger:
        guard = Guard(policy, ledger=ledger)
        guarded = guard.access(CATEGORY, purpose=PURPOSE)(load)
        floor = GroupCommit(place / "power-floor")
        ours, its, waits, floor_waits = [], [], [], []
        for _ in range(rounds):
            took = _hammer(floor.append, seconds)
            its.append(len(took) / seconds)
            floor_waits.append(median(took))
            took = _hammer(lambda: guarded(7), seconds)
            ours.append(len(took) / seconds)
            waits.append(median(took))
    sync = median(floor.syncs)
    ratio = median(its) / median(ours)
    yield Figure("group commit, 16 threads, records: the floor", median(its), "/s")
    yield Figure("the same, the ledger: floor over it", median(ours), "/s", ratio, "7", 1 / 0.7)
    yield Figure("`fdatasync` meanwhile, median", sync * 1e6, "µs", 1.0)
    yield Figure(
        "p50 of a record, the floor", median(floor_waits) * 1e6, "µs", median(floor_waits) / sync
    )
    yield Figure(
        "p50 of a record, the ledger", median(waits) * 1e6, "µs", median(waits) / sync, "7", 3.0
    )


class GroupCommit:
    """The floor: threads append a line, and one of them syncs for all that have, turn by turn."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()
        self._leading = False
        self._waiting: list[tuple[int, threading.Lock]] = []
        self._written = self._synced = 0
        self.syncs: list[float] = []
        """How long each sync took, in seconds, under the load that it was made under."""

    def append(self) -> None:
        gate = threading.Lock()
        with self._lock:
            os.write(self._file, LINE)
            self._written += 1
            mine = self._written
            leads, self._leading = not self._leading, True
            if not leads:
                gate.acquire()
                self._waiting.append((mine, gate))
        if not leads:
            gate.acquire()
            if self._synced >= mine:
                return
        written, start = self._written, time.perf_counter()
        os.fdatasync(self._file)
        self.syncs.append(time.perf_counter() - start)
        self._synced = written
        with self._lock:
            over = [gate for number, gate in self._waiting if number <= written]
            self._waiting = [each for each in self._waiting if each[0] > written]
            self._leading = bool(self._waiting)
            if self._waiting:
                over.insert(0, self._waiting.pop(0)[1])
            for each in over:
                each.release()


def _hammer(call: Callable[[], object], seconds: float) -> list[float]:
    """Have threads call it for so long, and return how long each call took."""
    took: list[list[float]] = []
    start = threading.Barrier(THREADS)

    def work() -> None:
        mine: list[float] = []
        took.append(mine)
        start.wait()
        end = time.perf_counter() + seconds
        before = time.perf_counter()
        while before < end:
            call()
            after = time.perf_counter()
            mine.append(after - before)
            before = after

    threads = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [each for mine in took for each in mine]
