"""What may become of a ledger's files while it is open, and how soon that is noticed.

Everything here is done to real files: full, read-only and vanished file systems included, where
the tests may mount one.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ledger_kit import (
    ELSEWHERE,
    KEY,
    Service,
    assert_intact,
    lines,
    open_ledger,
    segments,
    verdict,
)

from effort import effort
from purposeguard import LedgerError, OutOfPurposeError, UnusableLedgerError

SOON = 5
"""Seconds within which something is noticed: it is 100 ms, on a machine that does nothing else."""
STRANGER = b"what a stranger writes\n"


def segment_of(service):
    """Return the path of the segment that is written to."""
    return service.path / f"{service.ledger.health().segment}.jsonl"


def wait_for(condition):
    """Wait until something is so."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "it was never noticed"
        time.sleep(0.005)


def gaps(path):
    """Return the causes and counts in the lines that tell of a gap."""
    return [(line["cause"], line["count"], line["refused"]) for line in lines(path, "lost")]


def descriptor_of(path):
    """Return the descriptor that this process has a file open with."""
    for each in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            if each.readlink() == path:
                return int(each.name)
    raise AssertionError(f"{path} isn't open")


linux = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="looks into /proc, which Linux has"
)


# What is done to a segment, and what it is called.


def unlink(path):
    path.unlink()


def rename(path):
    path.rename(path.with_suffix(".moved"))


def replace(path):
    copy = path.with_suffix(".copy")
    copy.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    copy.replace(path)


def link(path):
    kept = path.with_suffix(".kept")
    path.rename(kept)
    path.symlink_to(kept)


def cut(path):
    os.truncate(path, path.stat().st_size - 10)


def empty(path):
    os.truncate(path, 0)


def append(path):
    with path.open("ab") as file:
        file.write(STRANGER)


HARMS = {
    unlink: "vanished",
    rename: "vanished",
    replace: "replaced",
    link: "replaced",
    cut: "cut off",
    empty: "cut off",
    append: "written to",
}
by_harm = pytest.mark.parametrize(
    ("harm", "cause"), [pytest.param(*each, id=each[0].__name__) for each in HARMS.items()]
)
by_durability = pytest.mark.parametrize("durability", ["process", "power"])


@by_durability
@by_harm
def test_it_is_noticed_by_itself(tmp_path, harm, cause, durability, caplog):
    """Without any more writing the segment is given up, and the next one says why."""
    with Service(tmp_path, durability=durability) as service:
        for _ in range(5):
            service.touch()
        path = segment_of(service)
        harm(path)
        wait_for(lambda: service.ledger.health().segment not in (None, path.stem))
        service.touch()
        lost = 0 if cause == "written to" else 5
        assert service.ledger.health().lost == lost
    assert any(f"gave up `{path.name}` ({cause})" in each for each in caplog.messages)
    assert [line.get("cause") for line in lines(tmp_path, "open")][-1] == cause
    assert gaps(tmp_path) == ([(cause, lost, 0)] if lost else [])
    found = verdict(tmp_path)
    assert found.problems or found.lost, "what was done to the file isn't found"


@by_harm
def test_it_is_noticed_at_the_commit(tmp_path, harm, cause):
    """Where each record has to be on disk, the next access is refused, its record not relied on."""
    with Service(tmp_path, durability="power") as service:
        service.touch()
        service.ledger._keeper.stop()
        service.ledger._journal._look_at = 1 << 80
        harm(segment_of(service))
        if harm is append:
            assert service.touch() == 1  # its own lines are all there
        else:
            with pytest.raises(LedgerError) as caught:
                service.touch()
            assert caught.value.cause == cause


@by_durability
@by_harm
def test_it_is_noticed_at_a_checkpoint(tmp_path, harm, cause, durability):
    """No checkpoint is made of a file that isn't there, or isn't what was written."""
    with Service(tmp_path, durability=durability) as service:
        service.touch()
        service.ledger._keeper.stop()
        harm(segment_of(service))
        assert service.ledger.checkpoint() is None
        assert service.ledger.health().failing == cause
        service.touch()
        assert service.ledger.checkpoint() is not None


@by_durability
@by_harm
def test_it_is_noticed_at_the_end(tmp_path, harm, cause, durability, caplog):
    """Closing says so, and leaves behind how many records went with the file."""
    service = Service(tmp_path, durability=durability)
    service.touch()
    service.ledger._keeper.stop()
    path = segment_of(service)
    harm(path)
    service.ledger.close()
    assert any(f"gave up `{path.name}` ({cause})" in each for each in caplog.messages)
    assert gaps(tmp_path) == ([] if cause == "written to" else [(cause, 1, 0)])


@by_harm
def test_it_is_noticed_at_rotation(tmp_path, harm, cause):
    """The access that fills the segment is refused with its file, and counted once."""
    with Service(tmp_path, segment_bytes=4096) as service:
        service.touch()
        service.ledger._keeper.stop()
        path = segment_of(service)
        harm(path)
        returned = 1
        with pytest.raises(LedgerError) as caught:
            while True:
                service.ledger._journal._look_at = 1 << 80
                service.touch()
                returned += 1
        assert caught.value.cause == cause
        assert service.touch() == 1
        health = service.ledger.health()
        assert health.refused == 1
        assert health.lost == (0 if cause == "written to" else returned)


def test_a_naive_writer_notices_nothing(tmp_path):
    """A file that is open can be written to for ever after it is gone."""
    path = tmp_path / "naive"
    with path.open("ab") as file:
        file.write(b"1\n")
        path.unlink()
        file.write(b"2\n")
        file.flush()
    assert not path.exists()


@linux
@by_durability
def test_a_descriptor_that_is_somebody_elses(tmp_path, durability):
    """Nothing more is written to the stranger's file once it is seen, and it is left open."""
    directory, other = tmp_path / "ledger", tmp_path / "stranger"
    with Service(directory, durability=durability) as service:
        service.touch()
        number = descriptor_of(segment_of(service))
        before = service.ledger.health().segment
        os.close(number)
        opened = os.open(other, os.O_WRONLY | os.O_CREAT)
        if opened != number:
            os.dup2(opened, number)
            os.close(opened)
        wait_for(lambda: service.ledger.health().segment not in (None, before))
        for _ in range(20):
            service.touch()
        assert os.fstat(number).st_ino == other.stat().st_ino
        os.write(number, STRANGER)
    os.close(number)
    assert other.read_bytes() == STRANGER
    assert assert_intact(directory).records == 21


@linux
def test_records_that_went_to_a_stranger_are_counted(tmp_path):
    """What is written between the harm and the look may be gone: no more, and no less."""
    directory, other = tmp_path / "ledger", tmp_path / "stranger"
    with Service(directory) as service:
        service.touch()
        service.ledger._keeper.stop()
        service.ledger._journal.tend()
        service.ledger._journal._look_at = 1 << 80
        number = descriptor_of(segment_of(service))
        with other.open("ab") as file:
            os.dup2(file.fileno(), number)
        for _ in range(3):
            service.touch()
        service.ledger._journal._look_at = 0
        service.touch()
        os.close(number)
    assert gaps(directory) == [("closed by something else", 3, 0)]
    assert other.read_bytes().count(b"\n") == 3


@linux
@by_durability
def test_a_closed_descriptor(tmp_path, durability):
    """An access is refused or recorded, and those after it are recorded."""
    with Service(tmp_path, durability=durability) as service:
        service.touch()
        os.close(descriptor_of(segment_of(service)))
        returned = 1
        try:
            returned += service.touch()
        except LedgerError as error:
            cause = error.cause
            assert cause in ("EBADF", "closed by something else")
        service.ledger._journal._segments.retry_at = 0
        returned += service.touch()
    assert assert_intact(tmp_path).records == returned


@linux
@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="needs /dev/full")
@by_durability
def test_dev_full(tmp_path, durability):
    """The kernel's own full device: the cause is named, a denial is kept in the reserve."""
    with Service(tmp_path, durability=durability, reserve_bytes=4096) as service:
        service.touch()
        service.ledger._keeper.stop()  # it isn't to look first
        path = segment_of(service)
        number = descriptor_of(path)
        with Path("/dev/full").open("wb", buffering=0) as full:
            os.dup2(full.fileno(), number)
        service.ledger._journal._look_at = 1 << 80
        with pytest.raises(LedgerError) as caught:
            service.touch()
        assert caught.value.cause == service.ledger.health().failing == "ENOSPC"
        with pytest.raises(OutOfPurposeError):
            service.touch(purpose=ELSEWHERE)
        service.ledger._journal._segments.retry_at = 0
        assert service.touch() == 1
        assert os.fstat(number).st_rdev == Path("/dev/full").stat().st_rdev
    os.close(number)
    assert [line.get("cause") for line in lines(tmp_path, "open")] == [None, "ENOSPC", "ENOSPC"]
    assert len(lines(tmp_path, "refused")) == 1
    outcomes = [line["outcome"] for line in lines(tmp_path, "access")]
    assert outcomes == ["permit", "violation", "permit"]
    assert_intact(tmp_path)


@linux
@pytest.mark.skipif(not os.access("/dev/full", os.W_OK), reason="needs /dev/full")
def test_a_file_in_place_of_the_reserves_segment(tmp_path):
    """The reserve, when it is needed, takes the place of nothing that somebody has put there."""
    with Service(tmp_path, reserve_bytes=4096) as service:
        service.touch()
        service.ledger._keeper.stop()
        path = segment_of(service)
        number = descriptor_of(path)
        with Path("/dev/full").open("wb", buffering=0) as full:
            os.dup2(full.fileno(), number)
        service.ledger._journal._look_at = 1 << 80
        second = Path(str(path).replace("-000001.", "-000002."))
        second.write_bytes(b"precious")
        with pytest.raises(LedgerError):
            service.touch()
        service.ledger._journal._segments.retry_at = 0
        assert service.touch() == 1
        assert service.ledger.health().refused == 1
    os.close(number)
    assert second.read_bytes() == b"precious"
    told = sum(line["refused"] for line in lines(tmp_path, "lost")) + len(
        lines(tmp_path, "refused")
    )
    assert told == 1


@pytest.mark.parametrize("cut_off", [1, 2, 60])
def test_a_closing_line_that_is_cut(tmp_path, cut_off):
    """It ends nothing unless it is whole, to its line feed: opening sets aside what is there."""
    with Service(tmp_path) as service:
        service.touch()
    (path,) = segments(tmp_path)
    os.truncate(path, path.stat().st_size - cut_off)
    with open_ledger(tmp_path) as ledger:
        assert [each.damaged for each in ledger.recovered] == [None]
    assert lines(tmp_path)[-1]["kind"] == "recovered"
    assert_intact(tmp_path)


def test_a_second_writer(tmp_path):
    """Two ledgers on one directory write two journals, and leave each other's files alone."""
    with Service(tmp_path) as one:
        one.touch()
        before = segment_of(one).read_bytes()
        with Service(tmp_path) as other:
            assert other.ledger.recovered == ()
            assert segment_of(one).read_bytes() == before
            for _ in range(10):
                one.touch()
                other.touch()
            assert segment_of(one) != segment_of(other)
        one.touch()
    assert assert_intact(tmp_path).records == 22
    assert len(segments(tmp_path)) == 2


WRITER = """
import sys
from ledger_kit import Service
with Service(sys.argv[1], segment_bytes=8192) as service:
    for _ in range(int(sys.argv[2])):
        service.touch()
"""


def test_writers_in_several_processes(tmp_path):
    """Processes write beside each other, from beginning to end."""
    count = effort(50, 1000, 10_000)
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = [sys.executable, "-c", WRITER, str(tmp_path), str(count)]
    running = [subprocess.Popen(command, env=environment) for _ in range(3)]
    assert [each.wait(120) for each in running] == [0, 0, 0]
    assert assert_intact(tmp_path).records == 3 * count


def test_a_link_in_place_of_the_next_segment(tmp_path):
    """What somebody has put where a segment is to be is never written to."""
    directory, aim = tmp_path / "ledger", tmp_path / "aim"
    aim.write_bytes(b"precious")
    with Service(directory, segment_bytes=4096) as service:
        service.touch()
        second = Path(str(segment_of(service)).replace("-000001.", "-000002."))
        second.symlink_to(aim)
        with pytest.raises(LedgerError) as caught:
            while True:
                service.touch()
        assert caught.value.cause == "EEXIST"
        service.ledger._journal._segments.retry_at = 0
        assert service.touch() == 1
    assert aim.read_bytes() == b"precious"
    assert second.is_symlink()
    second.unlink()
    assert {str(each.text) for each in verdict(directory).problems} == {"the segment is missing"}


@by_durability
def test_the_directory_is_removed(tmp_path, durability):
    """Accesses are refused while there is no directory, and go on once it is there again."""
    directory = tmp_path / "ledger"
    with Service(directory, durability=durability) as service:
        service.touch()
        shutil.rmtree(directory)
        wait_for(lambda: service.ledger.health().failing is not None)
        with pytest.raises(LedgerError) as caught:
            service.touch()
        assert caught.value.cause in ("ENOENT", "vanished")
        directory.mkdir()
        service.ledger._journal._segments.retry_at = 0
        assert service.touch() == 1
        health = service.ledger.health()
        assert (health.failing, health.lost, health.refused) == (None, 1, 1)
    (_, count, refused), *more = gaps(directory)
    assert (count, refused, more) == (1, 1, [])
    # The file that is gone is missed, and nothing else is.
    assert {each.text for each in verdict(directory).problems} == {"the segment is missing"}


def test_the_clock_is_set_back(tmp_path, monkeypatch):
    """A clock that goes back an hour keeps nobody from trying again."""
    with Service(tmp_path) as service:
        service.touch()
        service.ledger._keeper.stop()
        ahead = time.time_ns() + 3600 * 10**9
        service.ledger._journal._segments.retry_at = ahead
        segment_of(service).unlink()
        service.ledger._journal._look_at = 0
        assert service.touch() == 1


# Other users and file systems.

root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs to be root"
)
NOBODY = 65534


@contextlib.contextmanager
def as_nobody():
    """Have no rights for a while: this process is root, and could do anything else."""
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)


@contextlib.contextmanager
def file_system(path, *options):
    """Mount a small file system in memory, or skip."""
    path.mkdir(exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        pytest.skip("needs `mount`")
    if done.returncode:
        pytest.skip(f"may not mount: {done.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(path)], check=True)


@root
@by_durability
def test_no_permission(tmp_path_factory, durability):
    """A directory that may not be written to is refused at once, and causes are named later."""
    directory = Path("/tmp") / f"purposeguard-{os.getpid()}-{durability}"
    directory.mkdir(mode=0o755)
    try:
        with as_nobody(), pytest.raises(UnusableLedgerError, match="Permission denied"):
            open_ledger(directory)
        os.chown(directory, NOBODY, NOBODY)
        with as_nobody(), Service(directory, durability=durability, segment_bytes=4096) as service:
            service.touch()
            service.ledger._keeper.stop()
            os.seteuid(0)
            os.chown(directory, 0, 0)
            os.seteuid(NOBODY)
            returned = 1
            with pytest.raises(LedgerError) as caught:
                while True:
                    returned += service.touch()
            assert caught.value.cause == "EACCES"
            os.seteuid(0)
            os.chown(directory, NOBODY, NOBODY)
            os.seteuid(NOBODY)
            service.ledger._journal._segments.retry_at = 0
            returned += service.touch()
        assert assert_intact(directory).records == returned
    finally:
        shutil.rmtree(directory)


@root
@by_durability
@pytest.mark.parametrize("required", [True, False], ids=["required", "not-required"])
def test_a_file_system_that_is_full_for_a_while(tmp_path, durability, required):
    """Nothing is released without a record, denials are kept, and it goes on once there is room."""
    place = tmp_path / "small"
    with file_system(place, "size=256k"):
        options = {"durability": durability, "required": required, "reserve_bytes": 16384}
        with Service(place / "ledger", **options) as service:
            ballast = place / "ballast"
            returned = 1
            service.touch()
            with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(512))
            causes = []
            for _ in range(150):
                try:
                    returned += service.touch()
                except LedgerError as error:
                    causes.append(error.cause)
            with pytest.raises(OutOfPurposeError):
                service.touch(purpose=ELSEWHERE)
            health = service.ledger.health()
            assert health.failing == "ENOSPC"
            if required:
                assert set(causes) == {"ENOSPC"}
            else:
                assert (causes, returned) == ([], 151)
                assert health.lost > 0
            ballast.unlink()
            wait_for(lambda: service.ledger.health().failing is None)
            returned += service.touch()
        found = assert_intact(place / "ledger")
        accesses = [line["outcome"] for line in lines(place / "ledger", "access")]
        if required:
            assert accesses.count("permit") == returned
            assert found.refused == len(causes) == health.refused
        else:
            assert accesses.count("permit") + found.lost == returned
            assert accesses.count("violation") == 1


@root
@by_durability
def test_a_file_system_that_turns_read_only(tmp_path, durability):
    """Its segment can be written to for as long as it is open; the next one can't be made."""
    place = tmp_path / "small"
    with file_system(place, "size=1m"):
        directory = place / "ledger"
        with Service(directory, durability=durability, segment_bytes=4096) as service:
            service.touch()
            returned = 1
            # A file that is open for writing keeps a file system writable, so it is a second view.
            subprocess.run(["mount", "--bind", place, place], check=True)
            try:
                subprocess.run(["mount", "-o", "remount,bind,ro", place], check=True)
                with pytest.raises(LedgerError) as caught:
                    while True:
                        returned += service.touch()
                assert caught.value.cause in ("EROFS", "replaced", "vanished")
                with pytest.raises(UnusableLedgerError, match="Read-only"):
                    open_ledger(directory)
            finally:
                subprocess.run(["umount", "-l", place], check=True)
            service.ledger._journal._segments.retry_at = 0
            returned += service.touch()
            assert service.ledger.health().failing is None
        assert assert_intact(directory).records == returned


def test_what_it_makes_is_for_its_owner_alone(tmp_path):
    """Nobody else may read who touched what."""
    before = os.umask(0)
    try:
        with Service(tmp_path / "a" / "ledger") as service:
            service.touch()
            modes = {each.stat().st_mode & 0o777 for each in service.path.iterdir()}
    finally:
        os.umask(before)
    assert modes == {0o600}
    assert service.path.stat().st_mode & 0o777 == 0o700
    assert KEY not in b"".join(each.read_bytes() for each in segments(service.path))
