"""Whatever moment a process is killed at: what it was given data for is in the ledger.

A writer acknowledges each access after the guarded call has returned, to a file, which outlives it
as a pipe would. What it acknowledged must be in a chain that verifies, before and after recovery.
"""

import itertools
import random

import pytest
from crash_kit import (
    FOR_ONE,
    Writers,
    hash_of,
    opened_and_closed,
    problems,
    recorded,
)
from naive_ledger import naive_numbers

from effort import effort

LIVES = 10
"""Times that processes are killed in one directory, and others go on there."""


@pytest.fixture(scope="module")
def writers():
    with Writers() as made:
        yield made


def options(chance, life):
    """Return how a ledger is kept: segments may be so small that rotating is killed as well."""
    return {
        "durability": "power" if life % 2 else "process",
        "segment_bytes": chance.choice([4096, 16384, 1 << 26]),
        "reserve_bytes": chance.choice([0, 8192]),
    }


def moment(chance, life):
    """Return when to kill: while it writes, or at any moment since it was forked."""
    if life // 2 % 2:
        return {"after_first": False, "seconds": chance.uniform(0, 0.012)}
    return {"after_first": True, "seconds": chance.uniform(0, 0.02)}


def numbers(acknowledged):
    """Return what was acknowledged."""
    return [int(line) for line in acknowledged.read_text().split()]


def assert_kept(directory, acknowledged):
    """Every access that was acknowledged is in the ledger, once, in order of each thread's."""
    assert problems(directory) == []
    found = recorded(directory)
    places = {hashed: place for place, hashed in enumerate(found)}
    assert len(places) == len(found)
    told = sorted(numbers(acknowledged))
    assert [number for number in told if hash_of(number) not in places] == []
    for before, after in itertools.pairwise(told):
        if before // FOR_ONE == after // FOR_ONE:
            assert places[hash_of(before)] < places[hash_of(after)]


@pytest.mark.parametrize(
    ("processes", "threads", "cycles"),
    [
        pytest.param(1, 1, effort(5, 40, 1000), id="one writer"),
        pytest.param(1, 4, effort(3, 20, 1000), id="four threads"),
        pytest.param(4, 1, effort(2, 10, 500), id="four processes"),
    ],
)
def test_killed_while_writing(tmp_path, writers, processes, threads, cycles):
    """No acknowledged access is lost; recovery is killed as well, by the next life's end."""
    chance = random.Random(f"{processes} {threads}")
    seen = 0
    for cycle in range(cycles):
        life = cycle % LIVES
        directory = tmp_path / f"ledger-{cycle // LIVES}"
        acknowledged = tmp_path / f"acknowledged-{cycle // LIVES}"
        writers.killed(
            directory,
            acknowledged,
            first=life * processes * threads * FOR_ONE,
            options=options(chance, life),
            processes=processes,
            threads=threads,
            shared=processes > 1 and chance.random() < 0.5,
            **moment(chance, life),
        )
        if not directory.exists():  # killed before it was made
            assert numbers(acknowledged) == []
            continue
        assert_kept(directory, acknowledged)
        if chance.random() < 0.5:
            assert not [each for each in opened_and_closed(directory) if each.damaged]
            assert_kept(directory, acknowledged)
        if life == LIVES - 1 or cycle == cycles - 1:
            seen += len(numbers(acknowledged))
    assert seen > cycles


@pytest.mark.parametrize("durability", ["process", "power"])
def test_killed_right_after_a_value_is_printed(tmp_path, writers, durability):
    """Of a process that prints the value and dies at once, the access is recorded."""
    runs, each_directory = effort(10, 100, 1000) // 2, 50
    for run in range(runs):
        directory = tmp_path / f"ledger-{run // each_directory}"
        printed = tmp_path / f"printed-{run // each_directory}"
        writers.killed(
            directory,
            printed,
            first=run,
            options={"durability": durability},
            suicide=True,
        )
        if run == runs - 1 or run % each_directory == each_directory - 1:
            assert len(numbers(printed)) == run % each_directory + 1
            assert_kept(directory, printed)
            opened_and_closed(directory)
            assert_kept(directory, printed)


@pytest.mark.parametrize(
    "life",
    [
        {"count": 10, "after_first": True, "seconds": 0.05},
        {"threads": 4, "count": 10, "after_first": True, "seconds": 0.05},
        {"processes": 4, "count": 10, "after_first": True, "seconds": 0.05},
        {"suicide": True},
    ],
    ids=["one writer", "four threads", "four processes", "printed"],
)
def test_a_naive_ledger_loses_what_was_acknowledged(tmp_path, writers, life):
    """Its lines wait in a buffer for which nobody answers."""
    directory, acknowledged = tmp_path / "ledger", tmp_path / "acknowledged"
    writers.killed(directory, acknowledged, first=0, naive=True, **life)
    assert numbers(acknowledged)
    assert naive_numbers(directory) == []
