"""Threads, signals, interrupts, coroutines and the interpreter's end, all at one ledger."""

import asyncio
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from ledger_kit import PURPOSE, Service, assert_intact, lines, open_ledger, segments, verdict
from opentelemetry.context import attach, get_current

from effort import effort
from purposeguard import LedgerError
from purposeguard.evidence.ledger import segment as segment_module
from purposeguard.evidence.ledger.keys import ChainKey

ACCESSES = effort(150, 1000, 10_000)
INTERRUPTS = effort(60, 400, 3000)
LOST = "ignore::pytest.PytestUnraisableExceptionWarning"
"""An interrupt that meets a finalizer or a callback is told, and goes no further."""
DEADLINE = 60
"""Seconds after which something hangs."""


@pytest.fixture(autouse=True)
def _as_before():
    """Leave nothing behind, and keep what measures coverage out: it can't take an interrupt.

    An interrupt inside the guard's own entering may leave a purpose open: a documented limit.
    """
    before, tracing, of_threads = get_current(), sys.gettrace(), threading.gettrace()
    sys.settrace(None)
    threading.settrace(None)
    yield
    threading.settrace(of_threads)
    sys.settrace(tracing)
    attach(before)


def permits(path):
    """Return how many permitted accesses the ledger has."""
    return sum(line["outcome"] == "permit" for line in lines(path, "access"))


def numbers_without_gaps(path):
    """Whether the lines of each journal are numbered from 1 on."""
    journals = {}
    for file in segments(path):
        found = [json.loads(line)["seq"] for line in file.read_bytes().splitlines() if line]
        journals.setdefault(file.name.rpartition("-")[0], []).extend(found)
    return all(found == list(range(1, len(found) + 1)) for found in journals.values())


def at_once(*works):
    """Run works in threads, and raise what the first of them has raised."""
    raised = []

    def run(work):
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is raised by whoever waits
            raised.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive(), "a thread hangs"
    if raised:
        raise raised[0]


class NaiveJournal:
    """Keeps number and mac of the last line, and writes with no lock, and nothing undone."""

    def __init__(self, path):
        self._key = ChainKey(None)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._seq, self._mac = 0, bytes(16)

    def access(self):
        body = f'{{"seq":{self._seq + 1}'.encode()
        self._seq += 1
        mac = self._key.link(self._mac, body)
        os.write(self._file, body + b',"mac":"' + mac.hex().encode() + b'"}\n')
        self._mac = mac

    def close(self):
        os.close(self._file)

    @staticmethod
    def whole(path):
        """Whether its chain is whole."""
        mac = bytes(16)
        for seq, line in enumerate(path.read_bytes().splitlines(), 1):
            body, _, rest = line.partition(b',"mac":"')
            mac = ChainKey(None).link(mac, body)
            if body != b'{"seq":%d' % seq or rest != mac.hex().encode() + b'"}':
                return False
        return True


@pytest.mark.parametrize("durability", ["process", "power"])
def test_many_threads_and_small_segments(tmp_path, durability):
    """Each access has its record, in one chain without gaps over all the segments."""
    each = ACCESSES if durability == "process" else max(ACCESSES // 10, 15)
    over = threading.Event()
    with Service(tmp_path, durability=durability, segment_bytes=8192) as service:

        def hammer():
            for _ in range(each):
                service.touch()

        def look_after():
            while not over.is_set():
                service.ledger.checkpoint()
                service.ledger._journal.tend()
                service.ledger.health()
                assert_intact(tmp_path)

        keeper = threading.Thread(target=look_after)
        keeper.start()
        try:
            at_once(*[hammer] * 8)
        finally:
            over.set()
            keeper.join(DEADLINE)
    health = service.ledger.health()
    assert (health.written, health.lost, health.refused) == (8 * each, 0, 0)
    assert assert_intact(tmp_path).records == 8 * each
    assert numbers_without_gaps(tmp_path)
    assert len(segments(tmp_path)) > 3


def test_many_threads_break_a_naive_chain(tmp_path):
    """Numbers that no lock guards are written twice or in another order."""
    for number in range(50):
        path = tmp_path / str(number)
        journal = NaiveJournal(path)
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-5)
        try:
            at_once(*[lambda journal=journal: [journal.access() for _ in range(200)]] * 8)
        finally:
            sys.setswitchinterval(before)
        journal.close()
        if not NaiveJournal.whole(path):
            return
    raise AssertionError("the naive chain has stayed whole")


@pytest.mark.parametrize("durability", ["process", "power"])
def test_closing_while_threads_write(tmp_path, durability):
    """What was returned is recorded, what comes later is refused, and the chain is closed."""
    for number in range(effort(5, 40, 200)):
        path = tmp_path / str(number)
        service = Service(path, durability=durability, segment_bytes=4096)
        returned = []

        def hammer(service=service, returned=returned):
            with contextlib.suppress(LedgerError):
                while True:
                    returned.append(service.touch())

        def close(service=service):
            time.sleep(random.random() / 50)
            service.ledger.close()

        at_once(hammer, hammer, hammer, hammer, close)
        found = assert_intact(path)
        assert not found.notes, list(map(str, found.notes))
        assert found.records == len(returned)
        assert numbers_without_gaps(path)
        assert lines(path)[-1]["kind"] == "close"


class Interrupted(BaseException):
    """What a signal handler raises, as KeyboardInterrupt is."""


@contextlib.contextmanager
def handling(handler):
    """Have a handler called for SIGALRM."""
    before = signal.signal(signal.SIGALRM, handler)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def interrupt_often(work, most=0.001):
    """Do a work over and over, and interrupt it once each time, at any point."""

    def handler(*_):
        nonlocal armed
        if armed:
            armed = False
            raise Interrupted

    def until_interrupted():
        # In a frame of its own: the jump back of a loop may lie outside of its own `try`.
        while armed:  # one that meets a finalizer is lost
            work()

    armed = False
    done = 0
    with handling(handler):
        while done < INTERRUPTS:
            try:
                armed = True
                signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, most))
                until_interrupted()
            except Interrupted:
                pass
            done += 1


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings(LOST)
@pytest.mark.parametrize("durability", ["process", "power"])
def test_interrupts_at_any_point(tmp_path, durability):
    """An interrupt loses no record that was relied on, and breaks no chain."""
    returned = refused = 0
    with Service(tmp_path, durability=durability, segment_bytes=8192) as service:

        def work():
            nonlocal returned, refused
            try:
                service.touch()
                returned += 1
            except LedgerError:
                refused += 1

        most = 0.001 if durability == "process" else 0.004
        interrupt_often(work, most)
        assert service.touch() == 1
    assert_intact(tmp_path)
    assert permits(tmp_path) >= returned + 1


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings(LOST)
def test_interrupts_while_other_threads_wait(tmp_path):
    """Threads that share a sync with one that is interrupted go on, refused or recorded."""
    over = threading.Event()
    counts = []
    with Service(tmp_path, durability="power", segment_bytes=16384) as service:

        def hammer():
            returned = 0
            while not over.is_set():
                with contextlib.suppress(LedgerError):
                    service.touch()
                    returned += 1
            counts.append(returned)

        threads = [threading.Thread(target=hammer, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()

        def work():
            with contextlib.suppress(LedgerError):
                service.touch()

        try:
            interrupt_often(work, 0.004)
        finally:
            over.set()
        for thread in threads:
            thread.join(DEADLINE)
            assert not thread.is_alive(), "a thread hangs"
    found = verdict(tmp_path)
    # Lines that nobody relied on may stand at the end of a segment that was given up.
    assert not found.problems, list(map(str, found.problems))
    assert permits(tmp_path) >= sum(counts)


def test_an_interrupt_breaks_a_naive_chain(tmp_path):
    """One that has counted a line and not written it goes on with a gap."""
    path = tmp_path / "naive"
    journal = NaiveJournal(path)
    for _ in range(20):
        interrupt_often(journal.access, 0.0003)
        if not NaiveJournal.whole(path):
            journal.close()
            return
    raise AssertionError("the naive chain has stayed whole")


@pytest.mark.timeout(300)
@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_signal_handler_that_makes_accesses(tmp_path, durability):
    """No deadlock: what the handler asks for while a record is written is refused, or recorded."""
    returned = refused = handled = 0
    causes = set()
    with Service(tmp_path, durability=durability, segment_bytes=8192) as service:

        def handler(*_):
            nonlocal returned, refused, handled
            handled += 1
            try:
                service.touch()
                returned += 1
            except LedgerError as error:
                causes.add(error.cause)
                refused += 1
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-6, 0.001))

        with handling(handler):
            signal.setitimer(signal.ITIMER_REAL, 0.001)
            end = time.monotonic() + DEADLINE
            while handled < INTERRUPTS * 2 or not refused:
                service.touch()
                returned += 1
                assert time.monotonic() < end, f"{refused} of {handled} were refused"
    assert_intact(tmp_path)
    assert numbers_without_gaps(tmp_path)
    assert permits(tmp_path) == returned
    assert causes == {"interrupted"}
    gaps = lines(tmp_path, "lost")
    assert sum(line["refused"] for line in gaps) == refused
    assert {line["cause"] for line in gaps} == {"interrupted"}


@pytest.mark.parametrize("durability", ["process", "power"])
def test_what_a_handler_was_refused_is_told_soon(tmp_path, durability):
    """With the next sync, or a look later: not only at the end, which may never come."""
    with Service(tmp_path, durability=durability) as service:
        service.touch()
        journal = service.ledger._journal

        def handler(*_):
            with pytest.raises(LedgerError):
                service.touch()

        with handling(handler), journal._lock:
            journal._busy = True
            signal.raise_signal(signal.SIGALRM)
            journal._busy = False
        service.touch()
        end = time.monotonic() + 2
        while not lines(tmp_path, "lost"):
            assert time.monotonic() < end, "it is never told"
            time.sleep(0.01)
        assert [line["refused"] for line in lines(tmp_path, "lost")] == [1]
    assert len(lines(tmp_path, "lost")) == 1
    assert_intact(tmp_path)


def test_a_signal_handler_deadlocks_a_naive_lock():
    """A plain lock around writing is one that a handler waits for for ever."""
    lock = threading.Lock()
    waited = []

    def handler(*_):
        waited.append(lock.acquire(timeout=0.2))

    with handling(handler), lock:
        signal.setitimer(signal.ITIMER_REAL, 0.01)
        time.sleep(0.05)
    assert waited == [False]


@pytest.mark.timeout(120)
@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_signal_handler_that_closes(tmp_path, durability):
    """Closing in the middle of a record is left to the interpreter's end; the chain stays whole."""
    for number in range(effort(30, 100, 1000)):
        path = tmp_path / str(number)
        service = Service(path, durability=durability)
        returned = 0
        over = False

        def handler(*_, service=service):
            nonlocal over
            service.ledger.close()
            over = True

        with handling(handler):
            signal.setitimer(signal.ITIMER_REAL, random.uniform(1e-5, 0.003))
            with contextlib.suppress(LedgerError):
                while not over:
                    service.touch()
                    returned += 1
        service.ledger.close()
        assert_intact(path)
        assert permits(path) == returned


AT_THE_END = """
import sys, threading, time
from ledger_kit import Service
service = Service(sys.argv[1], durability=sys.argv[2], segment_bytes=16384)
def hammer():
    while True:
        service.touch()
        returned.append(1)
returned = []
for _ in range(3):
    threading.Thread(target=hammer, daemon=True).start()
while len(returned) < 20:
    time.sleep(0.01)
"""


@pytest.mark.parametrize("durability", ["process", "power"])
def test_the_interpreters_end_with_daemon_threads_writing(tmp_path, durability):
    """The ledger is closed with its last line, whatever the threads are at."""
    for number in range(effort(1, 5, 30)):
        path = tmp_path / str(number)
        done = subprocess.run(
            [sys.executable, "-c", AT_THE_END, path, durability],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
            capture_output=True,
            text=True,
            timeout=DEADLINE,
            check=False,
        )
        # A denial's log line may be in the middle of being written: only the code counts.
        assert done.returncode == 0, done.stderr
        found = assert_intact(path)
        assert not found.notes, list(map(str, found.notes))
        assert found.records >= 20
        assert lines(path)[-1]["kind"] == "close"


# Coroutines


@pytest.fixture
def syncs(monkeypatch):
    """The syncs that are made, each a millisecond long or more."""
    made = []
    real = segment_module._to_disk

    def to_disk(descriptor):
        made.append(descriptor)
        time.sleep(0.001)
        real(descriptor)

    monkeypatch.setattr(segment_module, "_to_disk", to_disk)
    return made


def test_tasks_share_syncs(tmp_path, syncs):
    """Fifty tasks wait for a few syncs, and not for fifty."""
    with Service(tmp_path, durability="power") as service:

        @service.guard.access("candidate", purpose=PURPOSE)
        async def load():
            return 1

        async def main():
            return sum(await asyncio.gather(*[load() for _ in range(50)]))

        assert asyncio.run(main()) == 50
        assert len(syncs) < 25
    assert assert_intact(tmp_path).records == 50


def test_threads_share_syncs(tmp_path, syncs):
    """Threads that wait at the same time share them, too."""
    with Service(tmp_path, durability="power") as service:
        service.touch()
        before = len(syncs)
        at_once(*[lambda: [service.touch() for _ in range(10)]] * 8)
        assert len(syncs) - before < 60
    assert assert_intact(tmp_path).records == 81


def test_a_task_that_is_cancelled_while_it_waits(tmp_path, syncs):
    """No scope, span or record is left half open, and no value is handed over."""
    ran = []
    with Service(tmp_path, durability="power") as service:
        guard = service.guard

        @guard.access("candidate", purpose=PURPOSE)
        async def load():
            ran.append(1)
            return 1

        async def main():
            for number in range(effort(20, 100, 1000)):
                task = asyncio.create_task(load())
                for _ in range(number % 4 + 1):
                    await asyncio.sleep(0)
                if number % 3 == 0:
                    await asyncio.sleep(random.random() / 500)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
                assert guard.granted_items("candidate") == ()
            return await load()

        assert asyncio.run(main()) == 1
    found = assert_intact(tmp_path)
    assert found.records >= len(ran)
    assert found.refused == found.lost == 0


def test_a_block_that_is_cancelled_while_it_waits(tmp_path, syncs):
    """The body isn't run, and what was in force before is in force again."""
    ran = []
    with Service(tmp_path, durability="power") as service:
        guard = service.guard

        async def block():
            with guard.purpose(PURPOSE):
                before = guard.granted_items("candidate")
                try:
                    async with guard.access("candidate"):
                        ran.append(1)
                finally:
                    assert guard.granted_items("candidate") == before != ()

        async def main():
            for _ in range(effort(20, 100, 1000)):
                task = asyncio.create_task(block())
                await asyncio.sleep(0)
                await asyncio.sleep(random.random() / 1000)
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await block()

        asyncio.run(main())
    assert assert_intact(tmp_path).records >= len(ran) > 0


def test_an_event_loop_after_closing(tmp_path):
    """A coroutine is refused as any other call is."""
    service = Service(tmp_path, durability="power")

    @service.guard.access("candidate", purpose=PURPOSE)
    async def load():
        return 1

    assert asyncio.run(load()) == 1
    service.ledger.close()
    with pytest.raises(LedgerError) as caught:
        asyncio.run(load())
    assert caught.value.cause == "closed"
    open_ledger(tmp_path).close()
    assert assert_intact(tmp_path).records == 1
