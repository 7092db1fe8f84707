"""Forks at any moment: each process writes a journal of its own, and nobody waits for ever."""

import fcntl
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

import pytest
from ledger_kit import KEY, POLICY, PURPOSE, Service, assert_intact, lines, segments

from effort import effort
from purposeguard import Guard, Ledger, LedgerError

FORKS = effort(5, 40, 200)
DEADLINE = 20
"""Seconds after which a child hangs."""

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")


def in_child(work):
    """Run a work in a forked child, and fail as it does, or where it takes too long."""
    read, write = os.pipe()
    number = os.fork()
    if number == 0:
        try:
            work()
        except BaseException:  # noqa: BLE001 - it is told, and the child ends
            os.write(write, traceback.format_exc().encode()[-4000:])
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        end = time.monotonic() + DEADLINE
        while os.waitpid(number, os.WNOHANG) == (0, 0):
            if time.monotonic() > end:
                os.kill(number, signal.SIGKILL)
                os.waitpid(number, 0)
                raise AssertionError("the child hangs")
            time.sleep(0.001)
        told = pipe.read().decode()
    assert not told, told


ENDINGS = (".jsonl", ".reserve")


def open_in(path):
    """Return the files of a ledger that this process has open."""
    found = []
    for each in Path("/proc/self/fd").iterdir():
        try:
            target = each.readlink()
        except OSError:
            continue
        if target.parent == Path(path) and target.name.removesuffix(" (deleted)").endswith(ENDINGS):
            found.append(target.name)
    return sorted(found)


def is_locked(path):
    """Whether a process has a segment locked."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def journals(path):
    """Return the process of each journal, and the numbers of its lines."""
    found = {}
    for file in segments(path):
        name = file.name.rpartition("-")[0]
        numbers = [json.loads(line)["seq"] for line in file.read_bytes().splitlines() if line]
        found.setdefault(name, []).extend(numbers)
    return found


@pytest.mark.parametrize("durability", ["process", "power"])
def test_forking_while_threads_write(tmp_path, durability):
    """Children write at once, in journals of their own, whatever was being written."""
    over = threading.Event()
    counts = []
    service = Service(tmp_path, durability=durability, segment_bytes=16384)

    def hammer():
        done = 0
        while not over.is_set():
            service.touch()
            done += 1
        counts.append(done)

    def child():
        own = open_in(tmp_path)
        assert own == [], own
        for _ in range(3):
            service.touch()
        health = service.ledger.health()
        assert (health.written, health.lost, health.refused) == (3, 0, 0)
        assert str(os.getpid()) in health.segment
        service.ledger.close()
        assert open_in(tmp_path) == []

    threads = [threading.Thread(target=hammer, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(FORKS):
            in_child(child)
    finally:
        over.set()
        for thread in threads:
            thread.join(DEADLINE)
    assert not any(thread.is_alive() for thread in threads), "a writer hangs"
    service.ledger.close()
    found = assert_intact(tmp_path)
    assert found.records == sum(counts) + 3 * FORKS
    made = journals(tmp_path)
    assert len(made) == FORKS + 1
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in made.values())
    assert {line["process"] for line in lines(tmp_path, "open")} >= {os.getpid()}


class NaiveJournal:
    """Numbers lines under a lock, and knows nothing of forks."""

    def __init__(self, path):
        self._lock = threading.Lock()
        self._file = path.open("a")
        self._seq = 0

    def access(self, pause=0.0):
        with self._lock:
            self._seq += 1
            time.sleep(pause)
            self._file.write(json.dumps({"seq": self._seq}) + "\n")
            self._file.flush()

    def close(self):
        self._file.close()


def test_a_naive_journal_hangs_or_counts_twice(tmp_path):
    """Its lock is held for ever in a child, and without one both go on with the same numbers."""
    journal = NaiveJournal(tmp_path / "naive")
    for number in range(2):
        thread = threading.Thread(target=journal.access, args=(0.3 * (1 - number),))
        thread.start()
        if number:
            thread.join()
        else:
            time.sleep(0.05)
        child = os.fork()
        if child == 0:
            signal.signal(signal.SIGALRM, signal.SIG_DFL)
            signal.alarm(1)
            try:
                journal.access()
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        thread.join()
        if number == 0:
            assert os.WIFSIGNALED(status), "the child didn't hang"
    journal.access()
    journal.close()
    numbers = [json.loads(line)["seq"] for line in (tmp_path / "naive").read_text().splitlines()]
    assert len(set(numbers)) < len(numbers)


@pytest.mark.parametrize("held", ["_lock", "_flushing"])
def test_forking_while_a_lock_is_held(tmp_path, held):
    """A fork waits a second at most, and the child has locks of its own."""
    service = Service(tmp_path, durability="power")
    service.touch()
    release, has_it = threading.Event(), threading.Event()

    def hold():
        with getattr(service.ledger._journal, held):
            has_it.set()
            release.wait(DEADLINE)

    holder = threading.Thread(target=hold)
    holder.start()
    has_it.wait()
    began = time.monotonic()
    try:
        in_child(service.touch)
    finally:
        release.set()
        holder.join()
    assert time.monotonic() - began < 5
    service.touch()
    service.ledger.close()
    assert assert_intact(tmp_path).records == 3


def test_forking_while_a_ledger_is_opened(tmp_path):
    """A child has nothing open of a ledger that another thread was just opening or closing."""
    over = threading.Event()

    def open_and_close():
        while not over.is_set():
            with Service(tmp_path, reserve_bytes=4096):
                pass

    threads = [threading.Thread(target=open_and_close, daemon=True) for _ in range(2)]
    for thread in threads:
        thread.start()
    inherited = []

    def child():
        assert open_in(tmp_path) == []

    try:
        for _ in range(max(FORKS, 30)):
            try:
                in_child(child)
            except AssertionError as error:
                inherited.append(str(error))
    finally:
        over.set()
        for thread in threads:
            thread.join(DEADLINE)
    assert not any(thread.is_alive() for thread in threads), "a thread hangs"
    assert not inherited, f"{len(inherited)} children: {inherited[0]}"


@pytest.mark.parametrize("durability", ["process", "power"])
def test_whose_end_unlocks_what(tmp_path, durability):
    """Neither the end of a child nor that of its parent unlocks or closes the other's segment."""
    service = Service(tmp_path, durability=durability)
    service.touch()
    mine = tmp_path / f"{service.ledger.health().segment}.jsonl"

    def child():
        service.touch()
        own = tmp_path / f"{service.ledger.health().segment}.jsonl"
        assert own != mine

        def grandchild():
            service.touch()
            service.ledger.close()

        in_child(grandchild)
        assert is_locked(own)
        service.touch()
        service.ledger.close()
        assert not is_locked(own)

    in_child(child)
    assert is_locked(mine)
    service.touch()
    service.ledger.close()
    assert not is_locked(mine)
    assert assert_intact(tmp_path).records == 5
    assert len(journals(tmp_path)) == 3


def test_a_parent_that_ends_before_its_child(tmp_path):
    """The child keeps no lock of its parent's: whoever opens the ledger next can see it died."""
    service = Service(tmp_path)
    ready, go = os.pipe(), os.pipe()
    parent = os.fork()
    if parent == 0:
        service.touch()
        if os.fork() == 0:
            os.write(ready[1], b"x")
            os.read(go[0], 1)
            service.touch()
            service.ledger.close()
            os.write(ready[1], b"x")
            os._exit(0)
        os.read(ready[0], 1)
        os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(parent, 0)
    (orphaned,) = segments(tmp_path)
    assert not is_locked(orphaned)
    with Service(tmp_path) as other:
        other.touch()
    assert json.loads(orphaned.read_bytes().splitlines()[-1])["kind"] == "recovered"
    os.write(go[1], b"x")
    os.read(ready[0], 1)
    for end in (*ready, *go):
        os.close(end)
    service.ledger.close()
    assert assert_intact(tmp_path).records == 3


def test_news_and_counts_are_each_processs_own(tmp_path, caplog):
    """What the parent has yet to tell, and what it has counted, isn't told once more."""
    service = Service(tmp_path, required=False)
    for _ in range(5):
        service.touch()
    with service.ledger._journal._lock:
        service.ledger._journal._segments.tell("checkpoint", "told by the parent", trouble=False)

        def child():
            health = service.ledger.health()
            assert (health.segment, health.written, health.lost) == (None, 0, 0)
            assert not service.ledger._journal.news

        in_child(child)
    service.ledger.close()
    assert assert_intact(tmp_path).records == 5


def test_a_closed_ledger_stays_closed_in_a_child(tmp_path):
    """A fork opens nothing again."""
    service = Service(tmp_path)
    service.touch()
    service.ledger.close()

    def child():
        with pytest.raises(LedgerError):
            service.touch()

    in_child(child)
    assert len(segments(tmp_path)) == 1


NO_HOOKS = """
import ctypes, os, sys, time
from ledger_kit import Service
service = Service(sys.argv[1])
service.touch()
service.ledger._keeper.stop()  # a fork without hooks leaves locks of other threads held for ever
time.sleep(0.1)
number = ctypes.PyDLL(None).fork()
time.sleep(0.06)
service.touch()
service.ledger.close()
if number == 0:
    os._exit(0)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]))
"""


def test_a_fork_that_runs_no_hooks(tmp_path):
    """A fork by C code is noticed at the next look, before anything is written."""
    command = [sys.executable, "-c", NO_HOOKS, str(tmp_path)]
    here = Path(__file__).parent
    done = subprocess.run(command, check=False, cwd=here, capture_output=True, timeout=DEADLINE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert assert_intact(tmp_path).records == 3
    assert len(journals(tmp_path)) == 2


def work_elsewhere(path):
    """Write to a ledger from a process that a pool has started."""
    with Ledger(path, key=KEY) as ledger:
        guard = Guard(POLICY, ledger=ledger)

        @guard.access("candidate", purpose=PURPOSE)
        def load():
            return os.getpid()

        return [load() for _ in range(5)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_multiprocessing(tmp_path, method):
    """Processes of a pool write beside the one that has started them."""
    with Service(tmp_path) as service:
        service.touch()
        context = multiprocessing.get_context(method)
        with context.Pool(2) as pool:
            found = pool.map(work_elsewhere, [tmp_path] * 4, chunksize=1)
        service.touch()
    assert len(found) == 4
    judged = assert_intact(tmp_path)
    assert judged.records == 22


def test_a_started_process_inherits_nothing(tmp_path):
    """A program that is started while the ledger is open has none of its files open."""
    with Service(tmp_path) as service:
        service.touch()
        told = subprocess.run(
            ["ls", "-l", "/proc/self/fd"],
            close_fds=False,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    assert ".jsonl" not in told
    assert ".reserve" not in told


def test_an_access_in_a_fork_hook(tmp_path):
    """A hook that makes an access just before or after a fork doesn't hang."""
    service = Service(tmp_path)
    calls = []

    def hook():
        if calls:
            service.touch()

    os.register_at_fork(before=hook, after_in_parent=hook, after_in_child=hook)
    calls.append(1)
    try:
        in_child(service.ledger.close)
    finally:
        calls.clear()
    service.ledger.close()
    assert assert_intact(tmp_path).records == 3
