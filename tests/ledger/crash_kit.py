"""What the crash tests share: guarded writers that get killed, and what a ledger holds of them.

Run as a program it is the warm process that forks the writers: a fork of pytest itself would take
its threads' locks along, and a new interpreter for each of some thousand writers is too slow.
"""

import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from pathlib import Path

from naive_ledger import NaiveLedger

from purposeguard import Guard, Ledger
from purposeguard.evidence.ledger.verify import keys_by_id, verify
from purposeguard.policy_file import parse_policy
from purposeguard.subjects.keys import SubjectKey

KEY = b"a chain key of the tests only"
SUBJECT_KEY = b"a key of the tests only"
_SUBJECTS = SubjectKey(SUBJECT_KEY)

POLICY = parse_policy("""\
purposeguard: 1
policy: crashes
version: "1"
purposes:
  care: {title: Care}
categories:
  patient: {title: Patients, items: [name]}
matrix:
  patient:
    care: {clauses: [C1]}
prohibitions: []
recipients: {}
...
""")

FOR_ONE = 1_000_000
"""Numbers that one thread may use: each access is of a person of its own."""


def guarded(directory, **options):
    """Return a ledger that is required, and a guarded function that takes a person's number."""
    ledger = Ledger(directory, key=KEY, **options)
    guard = Guard(POLICY, ledger=ledger, subject_key=SUBJECT_KEY)

    @guard.access("patient", purpose="care", subject="number")
    def load(number):
        return b"%d\n" % number

    return ledger, load


def naively_guarded(directory):
    """Return the same of a naive ledger."""
    ledger = NaiveLedger(directory)

    def load(number):
        ledger.access(number)
        return b"%d\n" % number

    return ledger, load


def hash_of(number):
    """Return what a record holds of a person."""
    return _SUBJECTS.hash("subject:patient", number)


def accesses(directory):
    """Return the records of accesses in all segments, with no regard to the chain."""
    found = []
    for path in sorted(Path(directory).glob("*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if record["kind"] == "access":
                found.append(record)
    return found


def recorded(directory):
    """Return the hashes of the people in the records, in order of the lines."""
    return [record["subjects"][0] for record in accesses(directory)]


def problems(directory):
    """Return what verifying finds that can't be if nobody has touched the ledger."""
    return [str(each) for each in verify(Path(directory), keys_by_id([KEY])).problems]


def content(directory):
    """Return the bytes of each file by its name."""
    return {path.name: path.read_bytes() for path in sorted(Path(directory).iterdir())}


def opened_and_closed(directory, **options):
    """Open the ledger, which recovers it, and return what that found."""
    with Ledger(directory, key=KEY, reserve_bytes=0, **options) as ledger:
        return ledger.health().recovered


class Writers:
    """Processes that make guarded accesses until they are killed, forked from a warm one."""

    def __init__(self):
        self._warm = subprocess.Popen(
            [sys.executable, "-W", "ignore", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self._warm.stdin.close()
        self._warm.stdout.close()
        self._warm.wait(timeout=60)

    def killed(self, directory, acknowledged, **life):
        """Let writers live a life, as `_live` has it, and return when all of them are dead."""
        life |= {"directory": str(directory), "acknowledged": str(acknowledged)}
        print(json.dumps(life), file=self._warm.stdin, flush=True)
        answer = self._warm.stdout.readline()
        assert answer, "the warm process died"
        signals = json.loads(answer)
        assert signals == [signal.SIGKILL] * len(signals)


def _live(
    directory,
    acknowledged,
    *,
    first,
    options=None,
    naive=False,
    shared=False,
    processes=1,
    threads=1,
    count=None,
    after_first=False,
    seconds=0.0,
    suicide=False,
):
    """Let writers live until they are killed, and return the signals that they died of.

    They are killed some seconds after the first acknowledgement, or else after they were forked.
    After `count` accesses they do no more, or with `suicide` kill themselves. With `shared` they
    are workers that inherit an open ledger.
    """
    descriptor = os.open(acknowledged, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    opened = None

    def open_it():
        return naively_guarded(directory) if naive else guarded(directory, **options or {})

    if shared:
        opened = open_it()
        os.write(descriptor, opened[1](first))
        first += 1
    began = os.fstat(descriptor).st_size
    children = []
    for number in range(processes):
        child = os.fork()
        if child == 0:
            try:
                os.setpgid(0, children[0] if children else 0)
                load = (opened or open_it())[1]
                start = first + number * threads * FOR_ONE
                _write(load, descriptor, start, threads, count, suicide)
            finally:
                os._exit(1)
        children.append(child)
        os.setpgid(child, children[0])
    while after_first and os.fstat(descriptor).st_size == began:
        time.sleep(0.0002)
    if not suicide:
        time.sleep(seconds)
        os.killpg(children[0], signal.SIGKILL)
    ends = [os.waitpid(child, 0)[1] for child in children]
    os.close(descriptor)
    if opened is not None:
        opened[0].close()
    return [os.WTERMSIG(end) if os.WIFSIGNALED(end) else 0 for end in ends]


def _write(load, descriptor, first, threads, count, suicide):
    def work(start):
        try:
            for number in itertools.islice(itertools.count(start), count):
                value = load(number)
                os.write(descriptor, value)
                if suicide:
                    os.kill(os.getpid(), signal.SIGKILL)
            threading.Event().wait()
        finally:  # an access failed: whoever killed it will see that it was dead
            traceback.print_exc()
            os._exit(1)

    for number in range(1, threads):
        threading.Thread(target=work, args=(first + number * FOR_ONE,)).start()
    work(first)


def _serve():
    for request in sys.stdin:
        signals = _live(**json.loads(request))
        print(json.dumps(signals), flush=True)


if __name__ == "__main__":
    _serve()
