"""Reading segments: which there are, and what of one of them is whole."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from purposeguard.evidence.ledger.keys import ChainKey
from purposeguard.evidence.ledger.lines import SUFFIX, SegmentName, parsed, split_mac
from purposeguard.evidence.ledger.segment import locked
from purposeguard.exceptions import UnusableLedgerError

LONGEST_LINE = 1 << 24
"""Bytes beyond which there is no line of ours: damage must not fill the memory."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a segment, as it stands in the file."""

    number: int
    """Counted from 1, empty lines included."""
    offset: int
    raw: bytes

    @property
    def whole(self) -> bool:
        """Whether it has its line feed."""
        return self.raw.endswith(b"\n")


def segments_in(directory: Path) -> list[tuple[SegmentName, Path]]:
    """Return the segments of a ledger, in order of their names.

    Raises UnusableLedgerError where there is no such directory, or it can't be read.
    """
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries]
    except OSError as error:
        raise UnusableLedgerError(
            f"`{directory}` can't be read as a ledger ({error.strerror}): name its directory"
        ) from None
    found = {name: directory / file for file in names if (name := SegmentName.read(file))}
    return sorted({**found, **dict(_overlooked(found, directory))}.items())


def _overlooked(
    found: dict[SegmentName, Path], directory: Path
) -> Iterator[tuple[SegmentName, Path]]:
    """Yield segments that are there, and that a listing made while others are added has missed."""
    for near in found:
        for step in (1, -1):
            number = near.number + step
            while number > 0 and (name := SegmentName(near.journal, number)) not in found:
                path = directory / f"{name}{SUFFIX}"
                if not path.exists():
                    break
                yield name, path
                number += step


def lines_of(file: IO[bytes], *, number: int = 1, offset: int = 0) -> Iterator[Line]:
    """Yield the lines that are not empty, the last one even without its line feed.

    That is the end, also where a process goes on to write while we read: the other half of a line
    is no line.
    """
    while raw := file.readline(LONGEST_LINE):
        if raw != b"\n":
            yield Line(number, offset, raw)
        if not raw.endswith(b"\n") and len(raw) < LONGEST_LINE:
            return
        number += 1
        offset += len(raw)


def open_segment(path: Path) -> IO[bytes]:
    """Open a segment to read it. Raises OSError, also for what is no file: a pipe never ends."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise OSError(errno.EINVAL, "no file of its own")
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | getattr(os, "O_NOFOLLOW", 0)
    return os.fdopen(os.open(path, flags), "rb")


def in_use(path: Path) -> bool:
    """Whether a running process holds a segment open. False where it is empty: see `vacant`."""
    try:
        with open_segment(path) as file:
            return not vacant(file.fileno()) and not locked(file.fileno(), shared=True)
    except OSError:
        return False


def vacant(descriptor: int) -> bool:
    """Whether an open segment is empty: nobody but the process that made it may lock it then.

    That process locks it before it writes, and would have to wait for whoever only looks.
    """
    return os.fstat(descriptor).st_size == 0


def opening(line: Line, name: SegmentName) -> dict[str, Any] | None:
    """Return what the first line of a segment says, or None if it is not this segment's."""
    found = parsed(line.raw) if line.whole and split_mac(line.raw) else None
    if found is None or found.get("kind") != "open" or found.get("segment") != str(name):
        return None
    fits = isinstance(found.get("key"), str | None)
    return found if fits and isinstance(found.get("previous"), dict | None) else None


class Chain:
    """Follows a chain line by line."""

    __slots__ = ("_key", "mac", "seq")

    def __init__(self, key: ChainKey, seq: int, mac: bytes) -> None:
        self._key = key
        self.seq = seq
        self.mac = mac

    @classmethod
    def before(cls, opened: dict[str, Any], name: SegmentName, key: ChainKey) -> "Chain | None":
        """Return where the chain of a segment goes on from, as its first line says it."""
        previous = opened.get("previous")
        if previous is None:
            return cls(key, 0, key.first(name.journal))
        seq, mac = previous.get("seq"), previous.get("mac")
        if type(seq) is not int or not isinstance(mac, str):
            return None
        try:
            return cls(key, seq, bytes.fromhex(mac))
        except ValueError:
            return None

    def link(self, body: bytes) -> bytes:
        """Return the mac of a line that would come next."""
        return self._key.link(self.mac, body)

    def follow(self, line: bytes) -> str | None:
        """Go on to a line; say what is wrong where it is not the next one."""
        parts = split_mac(line)
        if parts is None:
            return "is no line of a ledger"
        body, mac = parts
        if not body.startswith(b'{"seq":%d,"kind":"' % (self.seq + 1)):
            return f"has another number than {self.seq + 1}: lines were dropped, added or swapped"
        if self._key.link(self.mac, body) != mac:
            return "was changed, or what stands before it was"
        self.seq += 1
        self.mac = mac
        return None


def kind_of(line: bytes) -> bytes:
    """Return the kind of a line, empty where it says none."""
    return line.partition(b'"kind":"')[2].partition(b'"')[0]
