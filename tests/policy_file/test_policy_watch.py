"""Watching a policy file: every change of content is seen, and the last good policy is kept."""

import gc
import logging
import math
import os
import subprocess
import sys
import textwrap
import threading
import time

import pytest
from policy_texts import SMALL

from purposeguard import Guard, bundled_policy
from purposeguard.exceptions import ScopeError, UnknownNameError
from purposeguard.policy_file import parse_policy

PACE = 0.02
PATIENCE = 30
"""Seconds after which a test stops waiting for what should come at once."""


def version(number):
    """Return the small policy as another version, of the same size."""
    return SMALL.replace('"1"', f'"{number}"')


@pytest.fixture
def path(tmp_path):
    """Return a policy file at version 1."""
    path = tmp_path / "policy.yaml"
    path.write_text(version(1), "utf-8")
    path.chmod(0o644)
    return path


def wait_for(condition):
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "this has not come about"
        time.sleep(PACE / 4)


def loads(guard, number):
    """Wait until a version is in force."""
    wait_for(lambda: guard.policy.version == str(number))


def replace(path, text):
    """Write a file beside it and rename it into place."""
    beside = path.with_name("beside")
    beside.write_text(text, "utf-8")
    beside.chmod(0o644)
    beside.replace(path)


def refusals(caplog):
    """Return the texts of all events about a refused policy."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.name == "purposeguard"
        and record.purposeguard["purposeguard.policy.status"] == "refused"
    ]


def settle():
    """Let the watch look a few times more."""
    time.sleep(10 * PACE)


def test_p42_a_rewrite_of_the_same_size_and_time_is_seen(path):
    """Content decides: size, times and even the file itself stay what they were."""
    guard = Guard(path)
    with guard.watch(PACE):
        for number in (2, 3, 2):
            status = path.stat()
            path.write_text(version(number), "utf-8")
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
            assert by_time(path.stat()) == by_time(status)  # so a watch by times sees nothing
            loads(guard, number)


def by_time(status):
    """Return what a naive watch compares."""
    return (status.st_mtime_ns, status.st_size, status.st_ino)


def test_a_bad_version_is_told_once_and_the_last_good_one_stays(path, caplog):
    """The same bad content is no news; the next good one is loaded."""
    guard = Guard(path)
    good = guard.policy
    with guard.watch(PACE):
        replace(path, version(2).removesuffix("...\n"))
        wait_for(lambda: refusals(caplog))
        settle()
        (told,) = refusals(caplog)
        assert "the last good one stays in force" in told
        assert f"{path}:11:1: the end marker is missing" in told
        assert guard.policy is good
        replace(path, version(3))
        loads(guard, 3)
        replace(path, "oops\n")
        wait_for(lambda: len(refusals(caplog)) == 2)
    assert guard.policy.version == "3"


def test_a_file_that_goes_away_and_comes_back_is_followed(path, caplog):
    """Its absence is told once, and the policy stays."""
    guard = Guard(path)
    with guard.watch(PACE):
        path.unlink()
        wait_for(lambda: refusals(caplog))
        settle()
        assert len(refusals(caplog)) == 1
        assert guard.policy.version == "1"
        replace(path, version(2))
        loads(guard, 2)
    assert len(refusals(caplog)) == 1


def test_a_swapped_symlink_is_followed(path, tmp_path):
    """Of the link, and of a directory on the way, as container platforms do."""
    for number in (1, 2, 3):
        (tmp_path / f"v{number}").mkdir()
        (tmp_path / f"v{number}" / "policy.yaml").write_text(version(number), "utf-8")
    current = tmp_path / "current"
    current.symlink_to(tmp_path / "v1")
    guard = Guard(current / "policy.yaml")
    with guard.watch(PACE):
        for number in (2, 3, 1):
            link = tmp_path / "next"
            link.symlink_to(tmp_path / f"v{number}")
            link.replace(current)
            loads(guard, number)


def test_a_change_between_load_and_watch_is_seen(path):
    """The first look compares with nothing but the policy in force."""
    guard = Guard(path)
    replace(path, version(2))
    with guard.watch(PACE):
        loads(guard, 2)


def test_a_watch_is_stopped_once_and_for_all(path):
    """`stop` waits for the thread, may be called again, and no change is seen any more."""
    guard = Guard(path)
    watch = guard.watch(PACE)
    before = threads()
    watch.stop()
    watch.stop()
    assert threads() == before - 1
    replace(path, version(2))
    settle()
    assert guard.policy.version == "1"


def test_a_watch_may_be_stopped_by_what_it_sets_off(path):
    """A handler of the event runs in the watching thread, which doesn't wait for itself."""
    guard = Guard(path)
    watch = guard.watch(PACE)

    class Stopping(logging.Handler):
        def emit(self, record):
            watch.stop()

    handler = Stopping()
    logger = logging.getLogger("purposeguard")
    logger.addHandler(handler)
    try:
        replace(path, "oops\n")
        wait_for(lambda: not watch._thread.is_alive())
    finally:
        logger.removeHandler(handler)


def threads():
    """Return how many threads watch."""
    return sum(thread.name == "purposeguard-watch" for thread in threading.enumerate())


def test_a_watch_ends_with_its_guard(path):
    """Nobody is left to load for, so the thread ends by itself."""
    guard = Guard(path)
    watch = guard.watch(PACE)
    del guard
    gc.collect()
    wait_for(lambda: not watch._thread.is_alive())


def test_a_relative_path_is_watched_from_where_it_was_given(path, tmp_path, monkeypatch):
    """A process that changes its directory, as daemons do, goes on watching the same file."""
    monkeypatch.chdir(tmp_path)
    guard = Guard("policy.yaml")
    with guard.watch(PACE):
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        replace(path, version(2))
        loads(guard, 2)


def test_what_was_not_loaded_from_a_file_needs_a_path(path):
    """A policy from a text has no file, a bundled one has; a given path is watched either way."""
    guard = Guard(parse_policy(SMALL))
    with pytest.raises(ScopeError, match="there is no policy file to watch: name its `path`"):
        guard.watch(PACE)
    with pytest.raises(ScopeError):
        Guard().watch(PACE)
    with Guard(bundled_policy("smarthr")).watch(PACE):
        pass
    empty = Guard()
    with empty.watch(PACE, path):
        wait_for(lambda: empty.policy is not None)


@pytest.mark.parametrize("pace", [0, -1, math.nan, math.inf, "1", None, 1e300])
def test_a_pace_that_can_not_be_is_refused_at_once(pace, path):
    """Not by a thread that dies unseen, or never rests."""
    before = threads()
    with pytest.raises(UnknownNameError, match="give a number of seconds above 0"):
        Guard(path).watch(pace)
    assert threads() == before


FORKING = """
    import os, signal, sys, time
    from pathlib import Path
    from purposeguard import Guard

    path = Path(sys.argv[1])
    text = path.read_text()
    guard = Guard(path)
    watch = guard.watch(0.02)
    stopped = guard.watch(0.02)
    stopped.stop()

    def wait_for(number):
        end = time.monotonic() + 30
        while guard.policy.version != str(number):
            if time.monotonic() > end:
                os._exit(1)
            time.sleep(0.005)

    def write(number):
        beside = path.with_name("beside")
        beside.write_text(text.replace('"1"', f'"{number}"'))
        beside.chmod(0o644)
        beside.replace(path)

    children = []
    for _ in range(3):
        child = os.fork()
        if child == 0:
            wait_for(2)
            grandchild = os.fork()
            if grandchild == 0:
                wait_for(3)
                watch.stop()
                os._exit(stopped._thread.is_alive())
            wait_for(3)
            os._exit(os.waitstatus_to_exitcode(os.waitpid(grandchild, 0)[1]))
        children.append(child)
    write(2)
    wait_for(2)
    time.sleep(0.2)
    watch.stop()  # the parent's: the children go on
    write(3)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert guard.policy.version == "2"
    sys.exit(any(codes))
"""


def test_forked_children_go_on_watching(path):
    """Each child, and its child, has a thread of its own; a stopped watch stays stopped."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(FORKING), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


HELD = """
    import os, sys, threading, time
    from pathlib import Path
    from purposeguard.evidence.faults import Faults
    from purposeguard.watching import Watch

    class Slow:
        policy = None
        def __init__(self):
            self.begun, self.loads = threading.Event(), []
        def load(self, path, /):
            self.loads.append(os.getpid())
            self.begun.set()
            time.sleep(1 if len(self.loads) == 1 else 0)

    slow = Slow()
    watch = Watch(slow, sys.argv[1], 0.02, Faults())
    slow.begun.wait(30)
    if os.fork() == 0:
        end = time.monotonic() + 30
        while os.getpid() not in slow.loads:
            if time.monotonic() > end:
                os._exit(1)
            time.sleep(0.005)
        os._exit(0)
    sys.exit(os.waitstatus_to_exitcode(os.wait()[1]))
"""


def test_a_child_forked_during_a_reload_does_it_itself(path):
    """The parent's thread was about to load: the child doesn't take that for done."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(HELD), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


LOCKED = """
    import logging, os, sys, threading, time
    from pathlib import Path
    from purposeguard import Guard

    path, telling = Path(sys.argv[1]), threading.Event()
    text = path.read_text()

    class Slow(logging.Handler):
        def emit(self, record):
            telling.set()
            time.sleep(1)

    guard = Guard(path)
    logging.getLogger("purposeguard").addHandler(Slow())
    watch = guard.watch(0.02)
    path.write_text("oops")
    telling.wait(30)  # the thread is inside `guard.load`
    child = os.fork()
    if child == 0:
        path.write_text(text.replace('"1"', '"2"'))
        end = time.monotonic() + 30
        while guard.policy.version != "2":
            if time.monotonic() > end:
                os._exit(1)
            time.sleep(0.005)
        os._exit(0)
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_child_forked_while_a_policy_is_loaded_can_load(path):
    """The lock that the parent's thread held at that moment is free in the child."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(LOCKED), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_two_guards_watch_side_by_side(path, tmp_path):
    """Each follows its own file."""
    other_path = tmp_path / "other.yaml"
    replace(other_path, version(5))
    guard, other = Guard(path), Guard(other_path)
    with guard.watch(PACE), other.watch(PACE):
        replace(path, version(2))
        loads(guard, 2)
        assert other.policy.version == "5"
        replace(other_path, version(6))
        loads(other, 6)
        assert guard.policy.version == "2"
