"""Budget 10: memory stays flat, however many accesses and unknown purposes there are.

Run as a program, `python -m benchmarks.memory accesses|denials COUNT`, it prints by how many bytes
the process has grown between a tenth of the way and its end.
"""

import gc
import itertools
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.measuring import MIB, Figure, Size
from benchmarks.setting import CATEGORY, PURPOSE, categories, guard_for, load, policy
from purposeguard import Guard, UnknownNameError, bundled_policy


def memory(size: Size) -> Iterator[Figure]:
    """Measure both, each in a child of its own, at the same time."""
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.memory", what, str(size.accesses)],
            stdout=subprocess.PIPE,
            text=True,
        )
        for what in ("accesses", "denials")
    ]
    for child, what in zip(children, ("accesses", "distinct unknown purposes"), strict=True):
        printed, _ = child.communicate()
        if child.returncode:
            raise RuntimeError(f"the child that watches memory over {what} failed")
        yield Figure(
            f"memory growth over {size.accesses:,} {what}",
            int(printed) / MIB,
            "MiB",
            budget="10",
            at_most=10,
            of="value",
        )


def growth(call: Callable[[], object], count: int) -> int:
    """Return by how many bytes the process grows between a tenth of the calls and their end."""
    for _ in range(max(1, count // 10)):
        call()
    gc.collect()
    before = _held()
    for _ in range(count - count // 10):
        call()
    gc.collect()
    return _held() - before


def _held() -> int:
    """How many bytes of memory this process holds; elsewhere than on Linux, has held at most."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    return pages * resource.getpagesize()


def _accesses(guard: Guard) -> Callable[[], object]:
    guarded = guard.access(CATEGORY)(load)

    def call() -> None:
        with guard.purpose(PURPOSE):
            guarded(7)

    return call


def _denials(enforcing: Guard, observing: Guard) -> Callable[[], object]:
    """Each call declares a purpose that nobody knows: by turns it is refused, and observed."""
    numbers = itertools.count()
    guarded = observing.access(categories(1)[0])(load)

    def call() -> None:
        number = next(numbers)
        name = f"unknown.purpose{number}"
        if number % 2:
            with observing.purpose(name):
                guarded(7)
            return
        try:
            with enforcing.purpose(name):
                pass
        except UnknownNameError:
            pass

    return call


def _main(what: str, count: int) -> None:
    if what == "accesses":
        call = _accesses(guard_for(bundled_policy("smarthr")))
    else:  # few purposes, since each of them is looked at for the one that might be meant
        small = policy(1, 3, 1)
        call = _denials(guard_for(small), guard_for(small, mode="observe"))
    print(growth(call, count))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]))
