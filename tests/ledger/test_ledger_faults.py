"""Every write and every sync of a ledger failing in turn, in each way in which a disk can fail.

The faults are real answers of `write`, `fsync` and `fdatasync`: a small library that is loaded
before libc gives them. One interpreter that has it is started for each test, and forks for each
position, which it runs in a directory of its own.
"""

import contextlib
import ctypes
import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ledger_kit import ELSEWHERE, Service, lines, open_ledger, segments, verdict

from effort import effort
from purposeguard import LedgerError, OutOfPurposeError, UnusableLedgerError

SOURCE = Path(__file__).with_name("faults.c")
POSITIONS = effort(4, 25, 200)
WRITE, SYNC = 0, 1
ERROR, SHORT, PARTIAL, FULL = range(4)
FOREVER = 1 << 30
WAYS = {
    "eio": (errno.EIO, ERROR),
    "enospc": (errno.ENOSPC, ERROR),
    "edquot": (errno.EDQUOT, ERROR),
    "short": (errno.EIO, SHORT),
    "short-twice": (errno.EIO, SHORT),
    "partial": (errno.ENOSPC, PARTIAL),
}
SEGMENT_BYTES = 8192
"""Small, so that segments end and begin among the positions."""
AT_ONCE = 8


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not sys.platform.startswith("linux"):
        pytest.skip("faults are injected on Linux only")
    if compiler is None:
        pytest.skip("needs a C compiler")
    made = tmp_path_factory.mktemp("faults") / "faults.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", made, SOURCE, "-ldl", "-lpthread"]
    subprocess.run(command, check=True)
    return made


@pytest.fixture
def place(tmp_path):
    """A directory in memory where there is one: syncs are to fail here, not to take long."""
    memory = Path("/dev/shm")
    if not os.access(memory, os.W_OK):
        yield tmp_path
        return
    made = memory / f"purposeguard-{os.getpid()}-{tmp_path.name}"
    made.mkdir()
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def worker(library):
    """An interpreter with the faults, which runs scenarios."""
    environment = {
        **os.environ,
        "LD_PRELOAD": str(library),
        "FAULTS": str(library),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    with subprocess.Popen(
        [sys.executable, __file__],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        yield process
        process.stdin.close()


def run(worker, place, scenario, **options):
    """Run a scenario at each position, and return what went wrong at which."""
    print(json.dumps({"scenario": scenario, "place": str(place), **options}), file=worker.stdin)
    worker.stdin.flush()
    return json.loads(worker.stdout.readline())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("required", [True, False], ids=["required", "not-required"])
def test_each_write_failing(worker, place, way, durability, required):
    """Whichever write fails, and however: no value without its record, or the gap is told."""
    options = {"way": way, "durability": durability, "required": required, "kind": WRITE}
    assert run(worker, place, "ledger", **options) == {"ran": POSITIONS, "wrong": {}}


@pytest.mark.parametrize("way", ["eio", "enospc", "edquot"])
@pytest.mark.parametrize("required", [True, False], ids=["required", "not-required"])
def test_each_sync_failing(worker, place, way, required):
    """A sync that has failed is never tried again, and who waited for it is refused."""
    options = {"way": way, "durability": "power", "required": required, "kind": SYNC}
    assert run(worker, place, "ledger", **options) == {"ran": POSITIONS, "wrong": {}}


@pytest.mark.parametrize(
    ("way", "kind", "what"),
    [
        ("short", WRITE, "returned without a record"),
        ("partial", WRITE, "returned without a record"),
        ("eio", WRITE, "returned without a record"),
        ("eio", SYNC, "went on with a file after its fault"),
    ],
)
def test_a_naive_writer_fails(worker, place, way, kind, what):
    """A writer that looks away, or tries again, is found out at each position."""
    options = {"way": way, "durability": "power", "required": True, "kind": kind}
    found = run(worker, place, "naive", **options)
    assert found["ran"] == POSITIONS
    assert len(found["wrong"]) == POSITIONS
    assert all(what in wrong for wrong in found["wrong"].values())


@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_full_disk_until_there_is_room(worker, place, durability):
    """Denials and refusals go into the reserve, then are counted; the count is told after."""
    options = {"way": "enospc", "durability": durability, "required": True, "kind": WRITE}
    assert run(worker, place, "full", positions=1, **options) == {"ran": 1, "wrong": {}}


@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_full_disk_where_records_are_not_required(worker, place, durability):
    """Accesses go on and are counted, to the last one; denials go into the reserve."""
    options = {"way": "enospc", "durability": durability, "required": False, "kind": WRITE}
    assert run(worker, place, "full", positions=1, **options) == {"ran": 1, "wrong": {}}


@pytest.mark.parametrize("durability", ["process", "power"])
def test_closing_while_the_disk_is_full(worker, place, durability):
    """Closing raises nothing, and leaves the gap to be told in the reserve or not at all."""
    options = {"way": "enospc", "durability": durability, "required": True, "kind": WRITE}
    assert run(worker, place, "close", positions=1, **options) == {"ran": 1, "wrong": {}}


@pytest.mark.parametrize("required", [True, False], ids=["required", "not-required"])
def test_threads_that_wait_for_a_sync_that_fails(worker, place, required):
    """All who share it are refused, or counted: none of them is told that it went well."""
    options = {"way": "eio", "durability": "power", "required": required, "kind": SYNC}
    positions = max(POSITIONS // 4, 3)
    assert run(worker, place, "waiters", positions=positions, **options) == {
        "ran": positions,
        "wrong": {},
    }


def test_a_naive_group_commit_tells_its_followers_that_all_is_well(worker, place):
    """One who has shared a failed sync syncs once more, and that succeeds."""
    options = {"way": "eio", "durability": "power", "required": True, "kind": SYNC}
    found = run(worker, place, "naive_waiters", positions=3, **options)
    assert len(found["wrong"]) == found["ran"] == 3
    assert all("was told that all is well" in wrong for wrong in found["wrong"].values())


by_durability_and_kind = pytest.mark.parametrize(
    ("durability", "kind"),
    [("process", WRITE), ("power", WRITE), ("power", SYNC)],
    ids=["process", "power-writes", "power-syncs"],
)


@by_durability_and_kind
@pytest.mark.parametrize("required", [True, False], ids=["required", "not-required"])
def test_faults_over_and_over_while_threads_write(worker, place, durability, required, kind):
    """However many faults there are, what is missing in the end is what lines say is missing."""
    options = {"way": "eio", "durability": durability, "required": required, "kind": kind}
    positions = max(POSITIONS // 4, 3)
    assert run(worker, place, "storm", positions=positions, **options) == {
        "ran": positions,
        "wrong": {},
    }


@by_durability_and_kind
@pytest.mark.parametrize("required", [True, False], ids=["required", "not-required"])
def test_telling_a_gap_fails(worker, place, durability, kind, required):
    """A gap is told once more where the line that tells it may not have got there."""
    options = {"way": "eio", "durability": durability, "required": required, "kind": kind}
    positions = 12
    assert run(worker, place, "gap", positions=positions, **options) == {
        "ran": positions,
        "wrong": {},
    }


@pytest.mark.parametrize("durability", ["process", "power"])
@pytest.mark.parametrize("required", [True, False], ids=["required", "not-required"])
def test_a_disk_that_is_dead_for_a_while(worker, place, durability, required):
    """Nothing can be written, the reserve included: all is counted, and told after."""
    options = {"way": "eio", "durability": durability, "required": required, "kind": WRITE}
    positions = max(POSITIONS // 4, 3)
    assert run(worker, place, "dead", positions=positions, **options) == {
        "ran": positions,
        "wrong": {},
    }


@pytest.mark.parametrize("way", ["eio", "partial"])
@pytest.mark.parametrize("kind", [WRITE, SYNC], ids=["writes", "syncs"])
def test_recovery_on_a_failing_disk(worker, place, way, kind):
    """Whatever fails while a torn end is set aside, no byte is lost, and the next time is fine."""
    options = {"way": way, "durability": "process", "required": True, "kind": kind}
    positions = 8
    assert run(worker, place, "reopening", positions=positions, **options) == {
        "ran": positions,
        "wrong": {},
    }


# What runs in the interpreter with the faults.


class Faults:
    """The library that is loaded before libc."""

    def __init__(self):
        self._library = ctypes.CDLL(os.environ["FAULTS"])
        self._library.faults_notes.restype = ctypes.c_char_p

    def arm(self, path, kind, first, times, way):
        self._library.faults_arm(os.fsencode(path), kind, first, times, *way)

    def delay(self, milliseconds):
        self._library.faults_delay(milliseconds)

    def disarm(self):
        self._library.faults_disarm()

    @property
    def fired(self):
        return self._library.faults_fired()

    def calls(self, kind):
        return self._library.faults_calls(kind)

    @property
    def notes(self):
        """What was done to which file, in order."""
        text = self._library.faults_notes().decode()
        return [tuple(line.split(" ", 3)) for line in text.splitlines()]


class Naive:
    """Writes and syncs, tries a sync again where it fails, and looks at nothing."""

    def __init__(self, path):
        path.mkdir()
        self._file = os.open(path / "naive.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def touch(self):
        try:
            os.write(self._file, b'{"kind":"access","outcome":"permit"}\n')
            os.fdatasync(self._file)
        except OSError:
            os.fdatasync(self._file)
        return 1

    def close(self):
        os.close(self._file)


def open_files():
    """Return what this process has open, but for the directory that says so."""
    listed = [each for each in Path("/proc/self/fd").iterdir() if os.path.lexists(each)]
    return sorted(map(str, map(Path.readlink, listed)))


def given_up(notes):
    """Whether nothing is done to a file any more once a call on it has failed."""
    failed = set()
    for _, outcome, file, name in notes:
        if file in failed:
            return False
        if outcome == "failed" and name.endswith(".jsonl"):
            failed.add(file)
    return True


def wait_no_longer(service):
    """Have the next segment begun at once, where it would be a second later."""
    service.ledger._journal._segments.retry_at = 0


def touch(service):
    """Make an access; return whether a value came back, or the cause of the refusal."""
    try:
        return service.touch() == 1
    except LedgerError as error:
        return error.cause


def deny(service):
    try:
        service.touch(purpose=ELSEWHERE)
    except OutOfPurposeError:
        return
    raise AssertionError("a denial was let through")


def lines_but_blanks(path):
    """Return the lines that are whole: a reserve has thousands of blank ones, not worth parsing."""
    found = []
    for segment in segments(path):
        for line in filter(None, segment.read_bytes().splitlines()):
            with contextlib.suppress(ValueError):
                found.append(json.loads(line))
    return found


def told(path):
    """Return accesses that were permitted, denied and refused, and the gaps, as lines have them."""
    found = lines_but_blanks(path)
    accesses = [line["outcome"] for line in found if line["kind"] == "access"]
    permits = accesses.count("permit")
    lost = [line for line in found if line["kind"] == "lost"]
    return {
        "permits": permits,
        "denials": len(accesses) - permits,
        "refused": sum(line["kind"] == "refused" for line in found),
        "lost": sum(line["count"] for line in lost),
        "lost_refused": sum(line["refused"] for line in lost),
    }


def ledger(faults, path, position, *, way, durability, required, kind):
    """Let one call fail while accesses and denials are made, and look at what there is then."""
    options = {"durability": durability, "required": required, "segment_bytes": SEGMENT_BYTES}
    options["reserve_bytes"] = 8192
    times = 2 if way == "short-twice" else 1
    faults.arm(path, kind, position, times, WAYS[way])
    files = open_files()
    try:
        service = Service(path, **options)
    except UnusableLedgerError:
        assert open_files() == files, "left files open"
        assert faults.fired
        service = Service(path, **options)
    returned = denied = 0
    causes = []
    after = 0
    while after < 12:
        after += faults.fired > 0
        if after == 6:
            wait_no_longer(service)
        if (returned + len(causes)) % 4 == 3:
            deny(service)
            denied += 1
        found = touch(service)
        if found is True:
            returned += 1
        else:
            causes.append(found)
            assert after < 6, f"still refused: {found}"
    assert returned + len(causes) < 500, "the fault never came"
    health = service.ledger.health()
    assert health.failing is None
    service.ledger.close()
    assert open_files() == files, "left files open"
    assert given_up(faults.notes), f"went on with a file after its fault: {faults.notes}"
    found = verdict(path)
    assert not found.problems, list(map(str, found.problems))
    exact = durability == "process"
    have = told(path)
    after_close = service.ledger.health()
    known = after_close.written + after_close.lost + after_close.refused
    assert known == returned + denied + len(causes), (after_close, returned, denied, causes)
    assert have["lost"] == after_close.lost, (have, after_close)
    # One whose sync failed may stand in the file, and once more in the reserve.
    assert have["denials"] >= denied or faults.fired > 1, f"a denial is lost: {have}, {denied}"
    if required:
        assert have["permits"] >= returned, f"returned without a record: {have}, {returned}"
        assert have["refused"] + have["lost_refused"] == len(causes), (have, causes)
        assert after_close.refused == len(causes)
        named = {errno.errorcode[WAYS[way][0]], "short write"}
        assert set(causes) <= named, causes
        if exact:
            assert have["permits"] == returned, (have, returned)
            assert have["denials"] + have["lost"] == denied, (have, denied)
    else:
        assert not causes
        assert have["permits"] + have["denials"] + have["lost"] >= returned + denied
        if exact:
            assert have["permits"] + have["denials"] + have["lost"] == returned + denied


def naive(faults, path, position, *, way, durability, required, kind):
    """Let one call of the naive writer fail."""
    faults.arm(path, kind, position, 1, WAYS[way])
    writer = Naive(path)
    returned = sum(writer.touch() for _ in range(position + 5))
    writer.close()
    assert given_up(faults.notes) or kind == WRITE, "went on with a file after its fault"
    assert told_naively(path) >= returned, "returned without a record"


def told_naively(path):
    return len(lines(path, "access"))


def full(faults, path, position, *, way, durability, required, kind):
    """Fill the disk for a while."""
    service = Service(path, durability=durability, required=required, reserve_bytes=16384)
    for _ in range(10):
        assert touch(service) is True
    faults.arm(path, WRITE, 1, FOREVER, (errno.ENOSPC, FULL))
    found = []
    for number in range(200):
        found.append(touch(service))
        if number % 20 == 0:
            deny(service)
    denied = 10
    health = service.ledger.health()
    assert health.failing == "ENOSPC"
    if required:
        assert set(found) == {"ENOSPC"}, found
    else:
        assert set(found) == {True}
    faults.disarm()
    wait_no_longer(service)
    assert touch(service) is True
    assert service.ledger.health().failing is None
    service.ledger.close()
    checked = verdict(path)
    assert not checked.problems, list(map(str, checked.problems))
    have = told(path)
    refuge = next(line for line in lines(path, "open") if line.get("cause") == "ENOSPC")
    assert refuge["cause"] == "ENOSPC"
    # Under `power` the line of the one that met the fault first may be in the file as well.
    assert have["permits"] == 11, have
    if required:
        assert have["refused"] > 10, have
        assert have["refused"] + have["lost_refused"] == 200, have
        assert have["lost_refused"] > 50, "the reserve never was full"
        assert have["denials"] + have["lost"] == denied, have
        assert have["denials"] > 0, have
    else:
        assert have["denials"] == denied, have
        assert have["lost"] == 200, have
        assert have["lost_refused"] == 0
    assert segments(path)[1].stat().st_size == 16384


def close(faults, path, position, *, way, durability, required, kind):
    """Close while nothing can be written."""
    files = open_files()
    service = Service(path, durability=durability, required=required)
    assert touch(service) is True
    faults.arm(path, WRITE, 1, FOREVER, (errno.ENOSPC, FULL))
    assert touch(service) == "ENOSPC"
    service.ledger.close()
    assert open_files() == files, "left files open"
    checked = verdict(path)
    assert not checked.problems, list(map(str, checked.problems))
    assert told(path)["refused"] == 1
    faults.disarm()
    open_ledger(path).close()
    checked = verdict(path)
    assert not checked.problems, list(map(str, checked.problems))


def at_once(work, count):
    """Do a work in threads, each with its number, and raise what the first of them has raised."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def waiters(faults, path, position, *, way, durability, required, kind):
    """Let a sync fail that threads wait for."""
    service = Service(path, durability=durability, required=required, reserve_bytes=8192)
    assert touch(service) is True
    faults.delay(20)
    faults.arm(path, kind, position, 1, WAYS[way])
    start = threading.Barrier(6)

    def work(_):
        start.wait()
        found = []
        while not faults.fired:
            found.append(touch(service))
        return found

    found = [each for one in at_once(work, 6) for each in one]
    returned = 1 + found.count(True)
    causes = [each for each in found if each is not True]
    wait_no_longer(service)
    assert touch(service) is True
    returned += 1
    service.ledger.close()
    assert given_up(faults.notes), f"went on with a file after its fault: {faults.notes}"
    checked = verdict(path)
    assert not checked.problems, list(map(str, checked.problems))
    health = service.ledger.health()
    have = told(path)
    if required:
        assert len(causes) > 1, "nobody shared it"
        assert set(causes) == {"EIO"}, causes
        assert health.refused == have["refused"] + have["lost_refused"] == len(causes), have
        assert (health.lost, health.written) == (0, returned), health
        assert have["permits"] >= returned, have
    else:
        assert not causes
        assert health.lost == have["lost"] > 1, (health, have)
        assert health.written + health.lost == returned, (health, returned)
        assert have["permits"] + have["lost"] >= returned, have


def naive_waiters(faults, path, position, *, way, durability, required, kind):
    """The same of threads that share a file, and sync it one after the other."""
    path.mkdir()
    file = os.open(path / "naive.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    faults.delay(20)
    faults.arm(path, kind, 1, 1, WAYS[way])
    start, lock = threading.Barrier(6), threading.Lock()

    def work(_):
        start.wait()
        os.write(file, b"{}\n")
        with lock:
            try:
                os.fdatasync(file)
            except OSError:
                return False
            return True

    assert True not in at_once(work, 6), "was told that all is well"


def storm(faults, path, position, *, way, durability, required, kind):
    """Let calls fail at random, over and over, while threads write."""
    chance = random.Random(position)
    options = {"durability": durability, "required": required, "segment_bytes": SEGMENT_BYTES}
    service = Service(path, reserve_bytes=4096, **options)
    over = threading.Event()

    def work(number):
        if number == 0:
            for _ in range(25):
                faults.arm(path, kind, chance.randint(1, 20), chance.randint(1, 3), WAYS[way])
                end = time.monotonic() + 0.02
                while time.monotonic() < end:
                    time.sleep(0.001)
                    wait_no_longer(service)
            faults.disarm()
            over.set()
            return []
        found = []
        while not over.is_set():
            found.append(touch(service))
        return found

    found = [each for one in at_once(work, 5) for each in one]
    wait_no_longer(service)
    found.append(touch(service))
    assert found[-1] is True
    service.ledger.close()
    causes = [each for each in found if each is not True]
    returned = found.count(True)
    checked = verdict(path)
    assert not checked.problems, list(map(str, checked.problems))
    health = service.ledger.health()
    have = told(path)
    assert health.refused == len(causes), (health, len(causes))
    assert health.written + health.lost == returned, (health, returned)
    gone = have["refused"] + have["lost_refused"]
    if durability == "process":
        assert (have["lost"], gone) == (health.lost, health.refused), (health, have)
        assert have["permits"] == health.written, (health, have)
    else:  # what was written with a sync that failed may be in the file all the same
        assert (have["lost"], gone) >= (health.lost, health.refused), (health, have)
        assert gone >= health.refused, (health, have)
        assert have["permits"] >= health.written, (health, have)


def gap(faults, path, position, *, way, durability, required, kind):
    """Let the write or sync fail that is to tell of a gap: at the end of a segment, or before."""
    options = {"durability": durability, "required": required, "segment_bytes": 4096}
    service = Service(path, reserve_bytes=4096, **options)
    untold = 0

    def handler(*_):
        nonlocal untold
        untold += touch(service) == "interrupted" or not required

    signal.signal(signal.SIGUSR1, handler)
    assert touch(service) is True
    with service.ledger._journal._lock:
        service.ledger._journal._busy = True
        os.kill(os.getpid(), signal.SIGUSR1)
        service.ledger._journal._busy = False
    assert untold == 1
    ours = service.ledger.health()
    assert ours.lost + ours.refused == 1
    service.ledger._keeper.stop()
    faults.arm(path, kind, position, 1, WAYS[way])
    while not faults.fired:
        touch(service)
    faults.disarm()
    wait_no_longer(service)
    assert touch(service) is True
    service.ledger.close()
    checked = verdict(path)
    assert not checked.problems, list(map(str, checked.problems))
    health, have = service.ledger.health(), told(path)
    assert have["lost"] >= health.lost, f"a gap was never told: {health}, {have}"
    gone = have["refused"] + have["lost_refused"]
    assert gone >= health.refused, f"a refusal was never told: {health}, {have}"
    if durability == "process":
        assert (have["lost"], gone) == (health.lost, health.refused), (health, have)


def dead(faults, path, position, *, way, durability, required, kind):
    """Let all writes fail from one on, for a while."""
    files = open_files()
    options = {"durability": durability, "required": required, "segment_bytes": SEGMENT_BYTES}
    service = Service(path, reserve_bytes=8192, **options)
    returned = denied = 0
    causes = []
    faults.arm(path, kind, position, FOREVER, WAYS[way])
    failed = 0
    while failed < 30:
        failed += faults.fired > 0
        if failed % 10 == 5:
            wait_no_longer(service)
            deny(service)
            denied += 1
        found = touch(service)
        if found is True:
            returned += 1
        else:
            causes.append(found)
    assert service.ledger.health().failing == "EIO"
    faults.disarm()
    wait_no_longer(service)
    assert touch(service) is True
    returned += 1
    health = service.ledger.health()
    assert health.failing is None
    have = told(path)
    assert have["lost"] == health.lost, "the gap isn't told at once"
    service.ledger.close()
    assert open_files() == files, "left files open"
    checked = verdict(path)
    assert not checked.problems, list(map(str, checked.problems))
    assert have["denials"] + have["lost"] == returned + denied - have["permits"], (have, returned)
    assert have["refused"] + have["lost_refused"] == len(causes) == health.refused, have
    if required:
        assert have["permits"] == returned, (have, returned)
        assert have["lost"] == denied, (have, denied)
        assert set(causes) == {"EIO"}, causes
    else:
        assert not causes


def reopening(faults, path, position, *, way, durability, required, kind):
    """Let one call fail while what a dead process has left is put right."""
    with Service(path) as service:
        for _ in range(5):
            assert touch(service) is True
    (segment,) = segments(path)
    whole = segment.read_bytes().splitlines(keepends=True)
    torn = whole[-2][:-20]
    segment.write_bytes(b"".join(whole[:-2]) + torn)
    files = open_files()
    faults.arm(path, kind, position, 1, WAYS[way])
    try:
        open_ledger(path).close()
    except UnusableLedgerError:
        assert faults.fired
    assert open_files() == files, "left files open"
    assert faults.fired or position > 2, "nothing was there to fail"
    faults.disarm()
    kept = b"".join(each.read_bytes() for each in sorted(path.iterdir()))
    assert torn in kept, "what was torn is gone"
    open_ledger(path).close()
    checked = verdict(path)
    assert not checked.problems, list(map(str, checked.problems))
    assert [line["kind"] for line in lines(path)][-1] == "recovered"
    assert told(path)["permits"] == 4
    aside = [each.read_bytes() for each in path.glob("*.torn-*")]
    assert torn in aside, aside


SCENARIOS = {
    each.__name__: each
    for each in (ledger, naive, full, close, waiters, naive_waiters, storm, gap, dead, reopening)
}


def child(scenario, path, position, options, report):
    """Run one position in a forked child, which leaves what went wrong in a file."""
    wrong = ""
    try:
        SCENARIOS[scenario](Faults(), path, position, **options)
    except BaseException:  # noqa: BLE001 - the child ends here, whatever it is
        wrong = traceback.format_exc()
    if wrong:
        report.write_text(wrong)
    os._exit(0)


def run_here(scenario, place, positions=POSITIONS, **options):
    """Run a scenario at each position, some of them at once."""
    place = Path(place)
    wrong = {}
    running = {}
    ran = 0

    def gather():
        number, status = os.waitpid(-1, 0)
        position, report, path = running.pop(number)
        if status:
            wrong[position] = f"ended with {status}"
        elif report.exists():
            wrong[position] = report.read_text()
        shutil.rmtree(path, ignore_errors=True)

    for position in range(1, positions + 1):
        path = place / f"ledger-{position}"
        report = place / f"wrong-{position}"
        number = os.fork()
        if number == 0:
            child(scenario, path, position, options, report)
        running[number] = (position, report, path)
        ran += 1
        if len(running) >= AT_ONCE:
            gather()
    while running:
        gather()
    return {"ran": ran, "wrong": wrong}


if __name__ == "__main__":
    for request in sys.stdin:
        print(json.dumps(run_here(**json.loads(request))), flush=True)
