"""Any order of opening, writing, killing, tearing and verifying, against plain lists of records.

Run as a program it is the warm process that forks the writers, as in crash_kit.
"""

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from crash_kit import KEY, POLICY, SUBJECT_KEY, hash_of
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from naive_ledger import NaiveLedger, naive_numbers

from effort import effort
from purposeguard import AccessDeniedError, Guard, Ledger
from purposeguard.evidence.ledger.checkpoints import read_checkpoints
from purposeguard.evidence.ledger.verify import heads, keys_by_id, signed, verify

EXAMPLES = effort(20, 200, 2_000)
STEPS = effort(15, 20, 30)
KEYS = (KEY, b"another chain key of the tests", None)
CHAIN_KEYS = keys_by_id(key for key in KEYS if key)
MOST_ALIVE = 3


# The writers, in processes of their own.


class Writing:
    """What a writer does when it is told to; each record is acknowledged by its number."""

    def __init__(self, directory, key, options):
        self.ledger = Ledger(
            directory, key=KEYS[key], segment_bytes=4096, reserve_bytes=4096, **options
        )
        guard = Guard(POLICY, ledger=self.ledger, subject_key=SUBJECT_KEY)
        self._load = guard.access("patient", purpose="care", subject="number")(lambda number: 1)
        self._denied = guard.access("patient", subject="number")(lambda number: 1)

    def touch(self, numbers):
        for number in numbers:
            self._load(number)
            _answer(number)

    def threads(self, groups):
        running = [threading.Thread(target=self.touch, args=(group,)) for group in groups]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()

    def deny(self, numbers):
        for number in numbers:
            try:
                self._denied(number)
            except AccessDeniedError:
                _answer(number)

    def checkpoint(self):
        made = self.ledger.checkpoint()
        _answer(made and made.text())

    def close(self):
        self.ledger.close()

    def health(self):
        health = self.ledger.health()
        _answer([health.written, health.lost, health.refused, health.pending])

    def journal(self):
        _answer(self.ledger._journal._segments.name)
        _answer([[found.segment, found.aside] for found in self.ledger.recovered])


class NaiveWriting:
    """The same of a naive ledger."""

    def __init__(self, directory, *_):
        self._ledger = NaiveLedger(directory)

    def touch(self, numbers):
        for number in numbers:
            self._ledger.access(number)
            _answer(number)

    def close(self):
        self._ledger.close()


def _answer(value):
    os.write(1, json.dumps(value).encode() + b"\n")


def _serve():
    """Fork a writer for each line that names its channels; wait for the one that a line names."""
    logging.disable()
    for line in sys.stdin:
        asked = json.loads(line)
        if isinstance(asked, int):
            os.waitpid(asked, 0)
            _answer(asked)
        elif writer := os.fork():
            _answer(writer)
        else:
            _write(*asked)


def _write(orders, answers, naive, arguments):
    try:
        os.dup2(os.open(answers, os.O_WRONLY), 1)
        with Path(orders).open() as channel:
            writing = (NaiveWriting if naive else Writing)(*arguments)
            for line in channel:
                name, *rest = json.loads(line)
                getattr(writing, name)(*rest)
                _answer("done")
    finally:
        os._exit(0)


@dataclass(eq=False, repr=False)
class Writer:
    """A writer as the test sees it: its channels, and what it has acknowledged, in order."""

    warm: object
    process: int
    orders: object
    answers: object
    key: int = 0
    journal: str = ""
    batches: list = field(default_factory=list)
    """Numbers that were acknowledged; the order within a batch is known if it is a list."""
    pending: list = field(default_factory=list)
    """Numbers that may be recorded, in order, after its death."""
    recovered: list = field(default_factory=list)
    alive: bool = True
    ended: bool = False
    tried: bool = False
    """Whether its end was to be torn; what is torn is told by `torn`."""
    torn: bytes = b""

    def told(self, *order):
        """Give an order, and return the answers to it, until it is done or the writer is dead."""
        self.tell(*order)
        return self.heard()

    def tell(self, *order):
        self.orders.write(json.dumps(order) + "\n")
        self.orders.flush()

    def heard(self):
        found = []
        while (line := self.answers.readline()).endswith("\n"):
            answer = json.loads(line)
            if answer == "done":
                break
            found.append(answer)
        return found

    def gone(self):
        """Wait until it is dead, and all that it held is free."""
        self.alive = False
        self.orders.close()
        self.warm.asked(self.process)
        self.answers.close()

    @property
    def count(self):
        return sum(map(len, self.batches))


class Warm:
    """The warm process."""

    def __init__(self):
        path = os.pathsep.join([str(Path(__file__).parents[1]), str(Path(__file__).parent)])
        self._process = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        self._made = 0

    def asked(self, what):
        """Return what it answers."""
        print(json.dumps(what), file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, "the warm process died"
        return json.loads(answer)

    def writer(self, channels, naive, *arguments):
        """Return a new writer."""
        self._made += 1
        names = [str(channels / f"{self._made}-{name}") for name in ("orders", "answers")]
        for name in names:
            os.mkfifo(name)
        process = self.asked([*names, naive, arguments])
        answers = Path(names[1]).open()  # noqa: SIM115 - open until the writer is gone
        orders = Path(names[0]).open("w")  # noqa: SIM115
        return Writer(self, process, orders, answers)

    def end(self):
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(timeout=60)


@pytest.fixture(scope="module")
def warm():
    """Return the warm process."""
    made = Warm()
    yield made
    made.end()


class Machine(RuleBasedStateMachine):
    """Writers of one ledger, and what must be in it."""

    warm = None
    naive = False
    lost = None

    def __init__(self):
        super().__init__()
        self.place = Path(tempfile.mkdtemp(prefix="ledger-"))
        self.ledger = self.place / "ledger"
        self.ledger.mkdir()
        self.writers = []
        self.checkpoints = []
        self.number = 0

    def numbers(self, count):
        """Return numbers that nobody has used."""
        self.number += count
        return list(range(self.number - count, self.number))

    @property
    def alive(self):
        return [writer for writer in self.writers if writer.alive]

    @property
    def dead(self):
        """Those whose end nobody has put right yet."""
        return [writer for writer in self.writers if not writer.alive and not writer.ended]

    @property
    def whole(self):
        """Those of the dead that nobody has tried to tear. What a kill has left plays no part:
        a machine must go the same way when it is tried again."""
        return [writer for writer in self.dead if not writer.tried]

    def pick(self, data, among):
        return data.draw(st.sampled_from(among))

    @precondition(lambda self: len(self.alive) < MOST_ALIVE)
    @rule(
        key=st.integers(0, len(KEYS) - 1),
        durability=st.sampled_from(["process", "power"]),
        required=st.booleans(),
    )
    def open(self, key, durability, required):
        options = {"durability": durability, "required": required}
        writer = self.warm.writer(self.place, self.naive, str(self.ledger), key, options)
        writer.key = key
        self.writers.append(writer)
        if self.naive:
            return
        writer.journal, writer.recovered = writer.told("journal")
        recovered = {segment.rpartition("-")[0]: aside for segment, aside in writer.recovered}
        for other in self.dead:
            if other.key == key:
                aside = recovered.pop(other.journal, None)
                assert bool(aside) == bool(other.torn)
                if aside:
                    assert (self.ledger / aside).read_bytes() == other.torn
                other.ended = True
        assert not recovered

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), count=st.integers(1, 20))
    def touch(self, data, count):
        writer = self.pick(data, self.alive)
        numbers = self.numbers(count)
        assert writer.told("touch", numbers) == numbers
        writer.batches.append(numbers)

    @precondition(lambda self: self.alive and not self.naive)
    @rule(data=st.data(), counts=st.lists(st.integers(1, 8), min_size=2, max_size=4))
    def threads(self, data, counts):
        writer = self.pick(data, self.alive)
        groups = list(map(self.numbers, counts))
        answers = writer.told("threads", groups)
        assert sorted(answers) == sorted(number for group in groups for number in group)
        writer.batches.append(set(answers))

    @precondition(lambda self: self.alive and not self.naive)
    @rule(data=st.data())
    def denied(self, data):
        writer = self.pick(data, self.alive)
        numbers = self.numbers(1)
        assert writer.told("deny", numbers) == numbers
        writer.batches.append(numbers)

    @precondition(lambda self: self.alive)
    @rule(data=st.data(), count=st.integers(0, 40), delay=st.floats(0, 0.004))
    def kill(self, data, count, delay):
        writer = self.pick(data, self.alive)
        numbers = self.numbers(count)
        writer.tell("touch", numbers)
        time.sleep(delay)
        os.kill(writer.process, signal.SIGKILL)
        acknowledged = writer.heard()
        assert acknowledged == numbers[: len(acknowledged)]
        writer.batches.append(acknowledged)
        writer.pending = numbers[len(acknowledged) :]
        writer.gone()

    @precondition(lambda self: self.alive)
    @rule(data=st.data())
    def close(self, data):
        writer = self.pick(data, self.alive)
        assert writer.told("close") == []
        writer.gone()
        writer.ended = True

    @precondition(lambda self: self.whole and not self.naive)
    @rule(
        data=st.data(),
        junk=st.one_of(st.binary(min_size=1, max_size=300), st.integers(1, 5000).map(bytes)),
        length=st.integers(0, 400),
    )
    def tear(self, data, junk, length):
        """Leave behind a dead writer's last line what a machine that died may leave there."""
        writer = self.pick(data, self.whole)
        writer.tried = True
        segments = sorted(self.ledger.glob(f"{writer.journal}-*.jsonl"))
        if not segments:
            return
        last = segments[-1].read_bytes()
        # It was killed between two segments, and begins no line here; or between a segment's making
        # and its first line, and whoever opens the ledger puts that right, whatever their key.
        if not last or b'"kind":"close"' in last:
            return
        junk = last.rstrip(b"\n").rpartition(b"\n")[2][:length] or junk
        writer.torn = junk.replace(b"\n", b"\0")
        segments[-1].write_bytes(last + writer.torn)

    @precondition(lambda self: self.alive and not self.naive)
    @rule(data=st.data())
    def checkpoint(self, data):
        (text,) = self.pick(data, self.alive).told("checkpoint")
        self.checkpoints += read_checkpoints(text or "")

    @precondition(lambda self: not self.naive)
    @rule()
    def checkpoint_of_all(self):
        self.checkpoints += signed(heads(self.ledger, CHAIN_KEYS), CHAIN_KEYS, time.time_ns())

    @invariant()
    def figures_are_right(self):
        """Each living writer has counted what it has acknowledged."""
        for writer in () if self.naive else self.alive:
            assert writer.told("health") == [[writer.count, 0, 0, 0]]

    @invariant()
    def ledger_holds_what_was_acknowledged(self):
        """And nothing else, in that order; and it verifies."""
        if self.naive:
            found = set(naive_numbers(self.ledger)) if any(self.ledger.iterdir()) else set()
            for writer in self.writers:
                for batch in writer.batches:
                    self.lost.update(set(batch) - found)
            return
        found = verify(self.ledger, CHAIN_KEYS, self.checkpoints, allow_plain=True)
        assert not found.problems, [str(each) for each in found.problems]
        assert not found.lost
        assert not found.refused
        recorded = {writer.journal: [] for writer in self.writers}
        for path in sorted(self.ledger.glob("*.jsonl")):
            for line in path.read_bytes().splitlines():
                if b'"kind":"access"' in line and line.endswith(b'"}'):
                    hashes = json.loads(line)["subjects"]
                    recorded[path.stem.rpartition("-")[0]] += hashes
        assert found.records == sum(map(len, recorded.values()))
        for writer in self.writers:
            hashes = recorded[writer.journal]
            for batch in writer.batches:
                here, hashes = hashes[: len(batch)], hashes[len(batch) :]
                expected = list(map(hash_of, batch))
                if isinstance(batch, set):
                    here, expected = sorted(here), sorted(expected)
                assert here == expected
            assert hashes == list(map(hash_of, writer.pending))[: len(hashes)]

    def teardown(self):
        """Kill all; who opens the ledger then leaves each journal with an end."""
        try:
            for writer in self.alive:
                os.kill(writer.process, signal.SIGKILL)
                writer.gone()
            if not self.naive:
                for key in KEYS:
                    Ledger(self.ledger, key=key, reserve_bytes=0).close()
                found = verify(self.ledger, CHAIN_KEYS, self.checkpoints, allow_plain=True)
                assert not [each for each in found.notes if "without a closing line" in each.text]
                self.ledger_holds_what_was_acknowledged()
        finally:
            shutil.rmtree(self.place)


class NaiveMachine(Machine):
    """The same with naive writers. What they lose is only noted: how much of a buffer dies with its
    process differs from run to run, and a machine must go the same way when it is tried again."""

    naive = True


def run(machine, warm, examples, **options):
    """Try a machine."""
    machine.warm = warm
    tries = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        **options,
    )
    run_state_machine_as_test(machine, settings=tries)


def test_the_ledger_is_what_was_acknowledged(warm):
    """Whatever happens to those who write it."""
    run(Machine, warm, EXAMPLES)


def test_a_naive_ledger_is_not(warm):
    """A buffer dies with its process: the same machine finds it at once."""
    NaiveMachine.lost = set()
    run(NaiveMachine, warm, 20, phases=[Phase.generate], database=None)
    assert NaiveMachine.lost


if __name__ == "__main__":
    _serve()
