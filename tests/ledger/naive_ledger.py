"""The ledger that anybody would write first: a file opened for appending, and a line of JSON each.

Every test that guards against a loss is run against it as well, to be seen to be able to fail.
"""

import json
from pathlib import Path


class NaiveLedger:
    """Appends a line for each access to one file."""

    def __init__(self, directory):
        self.path = Path(directory) / "ledger.jsonl"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("a")

    def access(self, number):
        self._file.write(json.dumps({"subject": number}) + "\n")

    def close(self):
        self._file.close()


def naive_numbers(directory):
    """Return the numbers in the lines that can be read."""
    numbers = []
    for line in (Path(directory) / "ledger.jsonl").read_bytes().splitlines():
        try:
            numbers.append(json.loads(line)["subject"])
        except (ValueError, TypeError, KeyError):
            continue
    return numbers
