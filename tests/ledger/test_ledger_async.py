"""Under durability `power` async code awaits the disk, and looks at its purposes again after it."""

import asyncio
import threading
import time

import pytest
from ledger_kit import POLICY, PURPOSE, assert_intact, lines, open_ledger
from opentelemetry.context import get_current

from purposeguard import Guard, LedgerError, UndecidedAccessError
from purposeguard.evidence.ledger import group_commit, segment


class Disk:
    """A disk that can be slow, can wait for a sign, and can fail."""

    def __init__(self):
        self.syncs = 0
        self.seconds = 0.0
        self.gate = None
        self.broken = False
        self.entered = threading.Event()
        self._sync = segment._to_disk

    def __call__(self, descriptor):
        self.syncs += 1
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(30)
        time.sleep(self.seconds)
        if self.broken:
            raise OSError(5, "no disk")
        self._sync(descriptor)


@pytest.fixture
def disk(monkeypatch):
    """Return the disk that ledgers are synced to."""
    made = Disk()
    monkeypatch.setattr(segment, "_to_disk", made)
    return made


@pytest.fixture
def ledger(tmp_path, disk):
    """Return an open ledger whose records survive a loss of power."""
    with open_ledger(tmp_path, durability="power") as made:
        yield made


@pytest.fixture
def guard(ledger):
    """Return a guard with that ledger, its first segment begun."""
    made = Guard(POLICY, ledger=ledger)
    with made.purpose(PURPOSE):
        made.check("candidate")
    return made


def coroutine_function(guard, ran):
    @guard.access("candidate")
    async def call():
        ran.append(1)
        return 1

    return call


def block(guard, ran):
    async def call():
        async with guard.access("candidate"):
            ran.append(1)
            return 1

    return call


def async_generator(guard, ran):
    @guard.access("candidate")
    async def steps():
        ran.append(1)
        yield 1

    async def call():
        async for each in steps():
            result = each
        return result

    return call


KINDS = [coroutine_function, block, async_generator]


@pytest.mark.parametrize("kind", KINDS)
def test_the_loop_goes_on_while_the_disk_works(kind, guard, disk, tmp_path):
    """Another task runs meanwhile, and the guarded code only after its record is on disk."""
    ran = []
    call = kind(guard, ran)
    disk.gate = threading.Event()
    disk.entered.clear()

    async def main():
        with guard.purpose(PURPOSE):
            task = asyncio.create_task(call())
            while not disk.entered.is_set():
                await asyncio.sleep(0.001)
            for _ in range(5):
                await asyncio.sleep(0.001)
            assert not ran
            disk.gate.set()
            return await task

    assert asyncio.run(main()) == 1
    assert len(lines(tmp_path, "access")) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_purpose_that_ended_meanwhile_permits_nothing(kind, guard, disk, tmp_path):
    """The leases are looked at again after the wait: the code never runs, and that is recorded."""
    ran = []
    call = kind(guard, ran)
    disk.gate = threading.Event()

    async def main():
        disk.entered.clear()
        with guard.purpose(PURPOSE):
            task = asyncio.create_task(call())
            while not disk.entered.is_set():
                await asyncio.sleep(0.001)
        disk.gate.set()
        with pytest.raises(UndecidedAccessError) as caught:
            await task
        assert caught.value.decision.reason == "purpose_closed"

    asyncio.run(main())
    assert not ran
    assert lines(tmp_path, "access")[-1]["reason"] == "purpose_closed"


@pytest.mark.parametrize("kind", KINDS)
def test_another_thread_may_end_the_purpose_meanwhile(kind, guard, disk, tmp_path):
    """A scope that is left in another thread is as dead as one that is left here."""
    ran = []
    call = kind(guard, ran)
    disk.gate = threading.Event()
    disk.entered.clear()
    scope = guard.purpose(PURPOSE)

    def leave():
        assert disk.entered.wait(30)
        scope.__exit__(None, None, None)
        disk.gate.set()

    thread = threading.Thread(target=leave, daemon=True)

    async def main():
        with scope:
            thread.start()
            with pytest.raises(UndecidedAccessError) as caught:
                await call()
        assert caught.value.decision.reason == "purpose_closed"

    asyncio.run(main())
    thread.join(30)
    assert not ran
    assert lines(tmp_path, "access")[-1]["reason"] == "purpose_closed"


def test_a_result_is_withheld_where_the_purpose_ends_while_the_code_runs(guard, tmp_path):
    """As without a ledger; that it was withheld is on disk before the error is raised."""

    async def main():
        begun, over = asyncio.Event(), asyncio.Event()

        @guard.access("candidate")
        async def load():
            begun.set()
            await over.wait()
            return 1

        with guard.purpose(PURPOSE):
            task = asyncio.create_task(load())
            await begun.wait()
        over.set()
        with pytest.raises(UndecidedAccessError):
            await task
        assert lines(tmp_path, "access")[-1]["reason"] == "purpose_closed"

    asyncio.run(main())


def test_a_coroutine_from_a_function_waited_when_the_function_was_called(guard, disk, tmp_path):
    """The call is the access: its record is on disk before the coroutine is handed out."""
    ran = []

    async def inner():
        ran.append(1)
        return 1

    @guard.access("candidate")
    def call():
        return inner()

    async def main():
        disk.syncs = 0
        with guard.purpose(PURPOSE):
            coroutine = call()
            assert disk.syncs == 1
            assert await coroutine == 1
            assert disk.syncs == 1
            late = call()
        with guard.purpose(PURPOSE), pytest.raises(UndecidedAccessError) as caught:
            await late
        assert caught.value.decision.reason == "purpose_closed"

    asyncio.run(main())
    assert ran == [1]
    assert [line["reason"] for line in lines(tmp_path, "access")][1:] == [
        *("granted", "granted"),
        "purpose_closed",
    ]


def test_other_event_loops_may_be_in_other_threads(guard, tmp_path):
    """Each task is woken by its own loop."""
    call = coroutine_function(guard, [])

    async def main():
        with guard.purpose(PURPOSE):
            return sum(await asyncio.gather(*(call() for _ in range(10))))

    sums = []
    threads = [threading.Thread(target=lambda: sums.append(asyncio.run(main()))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sums == [10] * 5
    assert len(lines(tmp_path, "access")) == 51


@pytest.mark.parametrize("kind", KINDS)
def test_a_failed_sync_releases_nothing(kind, guard, disk, tmp_path):
    """The access is refused, nothing stays open, and later ones go into a new segment."""
    ran = []
    call = kind(guard, ran)

    async def main():
        with guard.purpose(PURPOSE):
            before = get_current()
            disk.broken = True
            with pytest.raises(LedgerError) as caught:
                await call()
            assert caught.value.cause == "EIO"
            assert get_current() is before
            disk.broken = False
            guard._hub.state.ledger._journal._segments.retry_at = 0
            assert await call() == 1

    asyncio.run(main())
    assert ran == [1]
    assert guard.health().ledger.refused == 1
    guard._hub.state.ledger.close()
    # What was written and not synced may be in the file, and is no harm there.
    assert 2 <= assert_intact(tmp_path).records <= 3


@pytest.mark.parametrize("kind", KINDS)
def test_a_task_that_is_cancelled_while_it_waits_leaves_nothing_open(kind, guard, disk, tmp_path):
    """Its record may be there; its scope is not."""
    ran = []
    call = kind(guard, ran)
    disk.gate = threading.Event()
    disk.entered.clear()

    async def main():
        with guard.purpose(PURPOSE):
            before = get_current()

            async def cancelled():
                try:
                    await call()
                except asyncio.CancelledError:
                    return get_current() is before
                return None

            task = asyncio.create_task(cancelled())
            while not disk.entered.is_set():
                await asyncio.sleep(0.001)
            task.cancel()
            result = await task
            disk.gate.set()
            return result

    assert asyncio.run(main()) is True
    assert not ran


def test_tasks_share_a_sync(guard, disk, tmp_path):
    """A hundred tasks need a few syncs, and each of them has its record."""
    call = coroutine_function(guard, [])
    disk.seconds = 0.005
    disk.syncs = 0

    async def main():
        with guard.purpose(PURPOSE):
            await asyncio.gather(*(call() for _ in range(100)))

    asyncio.run(main())
    assert len(lines(tmp_path, "access")) == 101
    assert disk.syncs < 20


def test_threads_share_a_sync(guard, disk, tmp_path):
    """So do threads."""
    disk.seconds = 0.005
    disk.syncs = 0
    touch = guard.access("candidate", purpose=PURPOSE)(lambda: 1)
    threads = [
        threading.Thread(target=lambda: [touch() for _ in range(10)], daemon=True)
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(lines(tmp_path, "access")) == 161
    assert disk.syncs < 80


def test_without_an_event_loop_it_waits(guard, tmp_path):
    """A coroutine that is driven by hand has no loop to await with."""
    call = coroutine_function(guard, [])
    with guard.purpose(PURPOSE):
        with pytest.raises(StopIteration) as caught:
            call().send(None)
        assert caught.value.value == 1
    assert len(lines(tmp_path, "access")) == 2


def test_a_denial_is_on_disk_before_it_is_raised(guard, disk, tmp_path):
    """Sync and async code alike."""
    disk.syncs = 0
    with pytest.raises(UndecidedAccessError):
        guard.check("candidate")
    assert disk.syncs == 1
    with pytest.raises(UndecidedAccessError):
        asyncio.run(coroutine_function(guard, [])())
    assert disk.syncs == 2
    assert [line["outcome"] for line in lines(tmp_path, "access")] == ["permit", "gap", "gap"]


def test_a_thread_that_is_interrupted_while_it_waits_wakes_the_next(guard, ledger, monkeypatch):
    """Whoever leads may be interrupted: those behind it don't wait for ever."""
    monkeypatch.setattr(group_commit, "_PATIENCE", 0.1)
    commits = ledger._journal._commits
    current = ledger._journal._segments.current
    ledger._journal._busy = False
    commits._leading = True  # as an interrupt between taking the lead and handing it over leaves it
    done = threading.Event()

    def wait():
        commits.wait(current, current.size)
        done.set()

    current.write(b"")
    ledger._journal._segments.head.write(current, "lost", ',"count":0')
    threading.Thread(target=wait, daemon=True).start()
    assert done.wait(60)
    assert current.synced == current.size
