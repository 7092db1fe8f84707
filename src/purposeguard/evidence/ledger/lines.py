"""The lines of a ledger, as docs/ledger.md has them."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from purposeguard.policy.decide import Decision
from purposeguard.policy.reasons import Operation

FORMAT = 1
SUFFIX = ".jsonl"
RESERVE_SUFFIX = ".reserve"

MAC_MARK = b',"mac":"'
END = b'"}\n'
_MAC_HEX = 32
_TAIL = len(MAC_MARK) + _MAC_HEX + len(END)

_JOURNAL = r"\d{8}T\d{6}\.\d{6}Z-\d+-[0-9a-f]{8}"
_NAME = re.compile(rf"({_JOURNAL})-(\d{{6,18}})")
RESERVE_NAME = re.compile(rf"{_JOURNAL}-[0-9a-f]{{8}}\.reserve")
_HEX = re.compile(rb"[0-9a-f]{32}")

_SECOND = 1_000_000_000
_second: tuple[int, str] = (0, "")
"""The second that was last asked for, in nanoseconds, and its text."""


class SegmentName(NamedTuple):
    """The name of a segment: its journal's, and its number in it."""

    journal: str
    number: int

    def __str__(self) -> str:
        return f"{self.journal}-{self.number:06d}"

    @classmethod
    def read(cls, file_name: str) -> "SegmentName | None":
        """Return what a file's name says, or None where it is no segment's."""
        found = _NAME.fullmatch(file_name.removesuffix(SUFFIX))
        if found is None or not file_name.endswith(SUFFIX):
            return None
        name = cls(found[1], int(found[2]))
        return name if file_name == f"{name}{SUFFIX}" else None


def stamp(nanoseconds: int) -> str:
    """Return a time since the epoch as lines have it: UTC, in microseconds."""
    global _second  # noqa: PLW0603 - one clock, one current second
    second, text = _second
    rest = nanoseconds - second
    if not 0 <= rest < _SECOND:
        rest = nanoseconds % _SECOND
        second = nanoseconds - rest
        text = datetime.fromtimestamp(second // _SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        _second = (second, text)
    return f"{text}.{rest // 1000:06d}Z"


def dumped(value: object) -> str:
    """Return a value as JSON, in ASCII, without blanks. Lone surrogates become escapes of text."""
    if isinstance(value, str) and not value.isascii():
        value = value.encode("utf-8", "backslashreplace").decode()
    return json.dumps(value, separators=(",", ":"))


def members(pairs: Mapping[str, object]) -> str:
    """Return the members of an object as they go on after others: `,"key":value…`."""
    return "".join(f',"{key}":{dumped(value)}' for key, value in pairs.items())


def access_text(
    decision: Decision,
    *,
    mode: str,
    chain: tuple[str, ...],
    root: bool,
    carried: bool,
    issuer: str | None,
    function: str,
    file: str,
    line: int,
    service: str | None,
) -> str:
    """Return what is the same in every record of one answer: all but time, trace and people."""
    operation = str(decision.operation)
    values: dict[str, object] = {
        "category": decision.category,
        "items": decision.items,
        "purpose": decision.purpose,
        "chain": chain,
        "purposes": None if decision.purposes == chain else decision.purposes,
        "outcome": str(decision.outcome),
        "reason": str(decision.reason),
        "mode": str(mode),
        "clauses": decision.clauses,
        "policy": decision.policy_digest[:12] or None,
        "operation": None if operation == Operation.USE else operation,
        "recipient": decision.recipient,
        "source": decision.source,
        "ground": decision.ground,
        "root": root or None,
        "carried": carried or None,
        "issuer": issuer,
        "function": function,
        "file": file,
        "line": line,
        "service": service,
    }
    return members({key: value for key, value in values.items() if value is not None})


def ground_text(identifier: str | None) -> str:
    """Return the id of the ground that an access rests on, as a member."""
    return "" if identifier is None else members({"ground_id": identifier})


def people_text(
    subjects: tuple[str, ...], customers: tuple[str, ...], actor: str | None, key: str | None
) -> str:
    """Return the keyed hashes of people as members, with the id of their key."""
    if not (subjects or customers or actor):
        return ""
    values = {"subjects": subjects, "customers": customers, "actor": actor, "people_key": key}
    return members({name: value for name, value in values.items() if value})


def split_mac(line: bytes) -> tuple[bytes, bytes] | None:
    """Return the bytes that a whole line's mac covers, and the mac; None if it is no such line."""
    if len(line) <= _TAIL or not line.endswith(END) or not line.startswith(b'{"seq":'):
        return None
    body, mark, mac = line[:-_TAIL], line[-_TAIL : 8 - _TAIL], line[8 - _TAIL : -3]
    return (body, bytes.fromhex(mac.decode())) if mark == MAC_MARK and _HEX.fullmatch(mac) else None


def parsed(line: bytes) -> dict[str, Any] | None:
    """Return the object in a line, or None where it holds none."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
