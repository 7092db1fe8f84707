"""Checkpoints: where a journal's chain stood, to be kept where the ledger's owner can't write."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

from purposeguard.evidence.ledger.keys import ChainKey
from purposeguard.exceptions import UnusableLedgerError

_BEGINS = '{"purposeguard_checkpoint"'
_KEYS = ("time", "segment", "seq", "mac", "key", "signature")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of one journal at one time, signed with the key of its chain."""

    time: str
    segment: str
    seq: int
    mac: str
    key: str | None
    """The id of the chain's key, or None for a plain chain, whose checkpoints are not signed."""
    signature: str | None = None

    @classmethod
    def of(cls, key: ChainKey, *, time: str, segment: str, seq: int, mac: str) -> "Checkpoint":
        """Return a signed checkpoint."""
        made = cls(time, segment, seq, mac, key.id)
        return replace(made, signature=key.signature(made._signed()))

    def _signed(self) -> str:
        return replace(self, signature=None).text()

    def genuine(self, key: ChainKey) -> bool:
        """Whether this key has signed it."""
        return self.signature == key.signature(self._signed())

    def text(self) -> str:
        """Return it as one line of JSON."""
        return json.dumps({"purposeguard_checkpoint": 1, **asdict(self)}, separators=(",", ":"))


def read_checkpoints(text: str) -> Iterator[Checkpoint]:
    """Yield the checkpoints in a text, one a line, as printed or as a log has them.

    Raises UnusableLedgerError for a line that holds none.
    """
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line[max(0, line.find(_BEGINS)) :])
            if found["purposeguard_checkpoint"] != 1:
                raise ValueError("another format")
            made = Checkpoint(**{key: found[key] for key in _KEYS})
        except (ValueError, TypeError, KeyError, RecursionError):
            raise UnusableLedgerError(
                f"line {number} is no checkpoint: give what `purposeguard ledger checkpoint` prints"
            ) from None
        texts = all(isinstance(each, str) for each in (made.time, made.segment, made.mac))
        signed = all(isinstance(each, str | None) for each in (made.key, made.signature))
        if not (texts and signed and type(made.seq) is int):
            raise UnusableLedgerError(f"line {number} is no checkpoint: it has been changed")
        yield made
