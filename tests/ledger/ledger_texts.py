"""Writes ledgers straight from docs/ledger.md: a second implementation, apart from the library's.

Nothing of purposeguard is used here. What it writes is whole unless a test breaks it on purpose.
"""

import hashlib
import json
import random
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

DIGEST = hashlib.sha256(b"a policy").hexdigest()
BEGAN = datetime(2026, 11, 25, 8, 14, 55, 123456, UTC)

ACCESS = {
    "category": "candidate",
    "items": ["name", "work_history"],
    "purpose": "recruitment.selection",
    "chain": ["recruitment", "recruitment.selection"],
    "purposes": ["recruitment.selection"],
    "outcome": "permit",
    "reason": "granted",
    "mode": "enforce",
    "clauses": ["H2(i)f-1"],
    "policy": DIGEST[:12],
    "function": "CandidateRepository.load",
    "file": "/srv/hr_service/repositories/candidates.py",
    "line": 42,
    "service": "hr",
}
"""What an access is where a test doesn't say otherwise; None there takes a key away."""

DENIED = {"purpose": "marketing.information", "chain": ["marketing.information"], "purposes": None}
VIOLATION = {**DENIED, "outcome": "violation", "reason": "not_granted", "clauses": None}
GAP = {
    "purpose": None,
    "chain": [],
    "purposes": None,
    "outcome": "gap",
    "reason": "purpose_undeclared",
    "clauses": None,
}


def text(value: object) -> str:
    """Return JSON as lines have it."""
    return json.dumps(value, separators=(",", ":"))


def stamp(time: datetime) -> str:
    """Return a time as lines have it."""
    return f"{time.isoformat(timespec='microseconds')[:-6]}Z"


class Chain:
    """The links of one journal."""

    def __init__(self, journal: str, key: bytes | None = None) -> None:
        self._key = b""
        if key is not None:
            self._key = hashlib.blake2b(key, person=b"purposeguard-led").digest()
        self.id = self._made(b"", 4).hex() if key is not None else None
        self.mac = self._made(journal.encode(), 16)
        self._start = hashlib.blake2b(key=self._key, digest_size=16).copy

    def _made(self, content: bytes, size: int) -> bytes:
        return hashlib.blake2b(content, key=self._key, digest_size=size).digest()

    def closed(self, body: str) -> bytes:
        """Return a line that has everything but its mac as it stands in the file."""
        start = body.encode("ascii")
        hashed = self._start()
        hashed.update(self.mac + start)
        self.mac = hashed.digest()
        return b'%b,"mac":"%b"}\n' % (start, self.mac.hex().encode())


class Journal:
    """What one process writes into a ledger: segments, one after the other."""

    def __init__(
        self,
        directory: Path,
        *,
        host: str = "alpha",
        process: int = 4711,
        began: datetime = BEGAN,
        digits: str = "9f3a6c21",
        key: bytes | None = None,
        durability: str = "process",
    ) -> None:
        self.directory = directory
        self.host, self.process, self.durability = host, process, durability
        self.time = began
        self.step = timedelta(seconds=1)
        """How much later each line is than the one before."""
        self.name = f"{began.strftime('%Y%m%dT%H%M%S.%fZ')}-{process}-{digits}"
        self.chain = Chain(self.name, key)
        self.seq = 0
        self.number = 0
        self._last: dict[str, Any] | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self.open()

    @property
    def segment(self) -> str:
        """The name of the segment that is written."""
        return f"{self.name}-{self.number:06d}"

    @property
    def path(self) -> Path:
        """Its file."""
        return self.directory / f"{self.segment}.jsonl"

    def line(self, kind: str, members: Mapping[str, object], time: datetime | None = None) -> None:
        """Write one line."""
        if time is None:
            time = self.time
            self.time += self.step
        self.seq += 1
        kept = {"seq": self.seq, "kind": kind, "time": stamp(time), **members}
        self.raw(self.chain.closed(text(kept)[:-1]))
        self._last = {"segment": self.segment, "seq": self.seq, "mac": self.chain.mac.hex()}

    def raw(self, content: bytes) -> None:
        """Write bytes as they are: whatever a test needs to be there."""
        with self.path.open("ab") as file:
            file.write(content)

    def open(self, cause: str | None = None) -> None:
        """Begin the next segment."""
        self.number += 1
        members = {
            "format": 1,
            "segment": self.segment,
            "host": self.host,
            "process": self.process,
            "python": "3.11.9",
            "purposeguard": "0.2.0",
            "durability": self.durability,
            "required": True,
            "key": self.chain.id,
            "previous": self._last,
        }
        self.line("open", {**members, "cause": cause} if cause else members)

    def policy(self, digest: str = DIGEST, name: str = "smarthr", version: str = "2026-11") -> None:
        """Write a policy line."""
        self.line("policy", {"digest": digest, "name": name, "version": version})

    def access(
        self, *changes: Mapping[str, object], kind: str = "access", at: datetime | None = None
    ) -> None:
        """Write one access, `ACCESS` with changes."""
        members: dict[str, object] = {}
        for each in ({"trace": None, "span": None, "subjects": None}, ACCESS, *changes):
            members.update(each)
        self.line(kind, {key: value for key, value in members.items() if value is not None}, at)

    def lost(self, count: int, refused: int = 0, cause: str = "ENOSPC") -> None:
        """Write a loss."""
        since = stamp(self.time - timedelta(minutes=1))
        members = {"count": count, "refused": refused, "since": since, "cause": cause}
        self.line("lost", members)

    def recovered(self, aside: bytes = b"") -> None:
        """Write what the next process writes after it has set bytes aside."""
        name = None
        if aside:
            name = f"{self.path.name}.torn-1"
            (self.directory / name).write_bytes(aside)
        self.line("recovered", {"bytes": len(aside), "aside": name})

    def close(self, cause: str = "closed") -> None:
        """End the segment."""
        self.line("close", {"cause": cause})

    def rotate(self) -> None:
        """End the segment and begin the next one."""
        self.close("rotated")
        self.open()

    def many(self, texts: Iterator[str], count: int) -> None:
        """Write many accesses, quickly: each is given as the text of its members."""
        closed, seq, time = self.chain.closed, self.seq, self.time
        with self.path.open("ab", buffering=1 << 20) as file:
            for seq in range(self.seq + 1, self.seq + 1 + count):
                start = f'{{"seq":{seq},"kind":"access","time":"{stamp(time)}"'
                file.write(closed(start + next(texts)))
                time += self.step
        self.seq, self.time = seq, time
        self._last = {"segment": self.segment, "seq": seq, "mac": self.chain.mac.hex()}


SITES = 60
_PURPOSES = {
    "recruitment.selection": "permit granted",
    "recruitment.contact": "permit granted",
    "marketing.information": "violation not_granted",
    "events.operation": "gap purpose_unknown",
}
_CATEGORIES = ("candidate", "event_participant", "customer_admin", "visitor", "entrusted")


def mixture(seed: int) -> Iterator[dict[str, Any]]:
    """Endlessly many different accesses, most of them permitted, from 60 places in code."""
    chance = random.Random(seed)
    kinds = []
    for site in range(SITES):
        for purpose, answer in _PURPOSES.items():
            outcome, reason = answer.split()
            permitted = outcome == "permit"
            kind = {
                **ACCESS,
                "category": _CATEGORIES[site % len(_CATEGORIES)],
                "purpose": purpose,
                "chain": [purpose],
                "purposes": None,
                "outcome": outcome,
                "reason": reason,
                "mode": "observe" if site % 7 == 0 else "enforce",
                "clauses": ["H2(i)f-1"] if permitted else [],
                "function": f"Repository{site}.load",
                "file": f"/srv/hr_service/repositories/module_{site % 9}.py",
                "line": 10 + site,
            }
            kinds += [kind] * (20 if permitted else 1)
    while True:
        kind = chance.choice(kinds)
        start = {
            "trace": f"{chance.getrandbits(128):032x}",
            "span": f"{chance.getrandbits(64):016x}",
        }
        if chance.random() < 0.5:
            start["subjects"] = [f"{chance.getrandbits(128):032x}"]
            start["people_key"] = "0badcafe"
        yield {**start, **kind}


def members(access: Mapping[str, object]) -> str:
    """Return the members of an access as they go on after others."""
    return "," + text({key: value for key, value in access.items() if value is not None})[1:-1]


def quick_members(seed: int, kinds: int = 5_000) -> Iterator[str]:
    """Like `mixture`, over and over from some thousand that were made before: many, quickly."""
    ready = [members(access) for access in islice(mixture(seed), kinds)]
    chance = random.Random(seed)
    while True:
        start = f',"trace":"{chance.getrandbits(128):032x}"'
        known = chance.choice(ready)
        yield start + known[len(start) :]
