"""What the ledger's tests share: a guard with a ledger, its lines, and whether it is intact."""

import json
from pathlib import Path

from purposeguard import Guard, Ledger, bundled_policy
from purposeguard.evidence.ledger.verify import keys_by_id, verify

KEY = b"a key of the tests, no secret"
POLICY = bundled_policy("smarthr")
PURPOSE = "recruitment.selection"
ELSEWHERE = "marketing.information"


def open_ledger(path, **options):
    """Return a ledger with the tests' key."""
    return Ledger(path, **{"key": KEY, **options})


class Service:
    """A guarded function, and the ledger that its accesses are recorded in."""

    def __init__(self, path, *, mode="enforce", **options):
        self.path = Path(path)
        self.ledger = open_ledger(path, **options)
        self.guard = Guard(POLICY, mode=mode, ledger=self.ledger)

        @self.guard.access("candidate", items=["name"])
        def load(value):
            return value

        self._load = load

    def touch(self, value=1, purpose=PURPOSE):
        """Make one access."""
        with self.guard.purpose(purpose, root=True):
            return self._load(value)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ledger.close()


def lines(path, kind=None):
    """Return the lines of a ledger that are whole, segment by segment, or those of one kind."""
    found = []
    for segment in sorted(Path(path).glob("*.jsonl")):
        for line in segment.read_bytes().splitlines():
            if not line:
                continue
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return [line for line in found if kind is None or line["kind"] == kind]


def segments(path):
    """Return the files of a ledger's segments."""
    return sorted(Path(path).glob("*.jsonl"))


def verdict(path, checkpoints=(), key=KEY):
    """Verify a ledger."""
    return verify(Path(path), keys_by_id([] if key is None else [key]), checkpoints)


def assert_intact(path, key=KEY):
    """Assert that nothing is wrong with a ledger, and return the verdict."""
    found = verdict(path, key=key)
    assert not found.problems, [str(each) for each in found.problems]
    return found
