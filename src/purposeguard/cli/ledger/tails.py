"""The ends of a ledger's segments, merged, and what is written behind them."""

import heapq
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any

from purposeguard.queries.segments import (
    Segment,
    UnreadableLedgerError,
    find_segments,
    unreadable,
)

_BLOCK = 64 * 1024
_LONGEST = 16 * 1024 * 1024
"""What a line may hold before it is taken for damage."""

UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a segment."""

    segment: Segment
    time: str
    """As it is written; of a line that can't be read, that of the line before."""
    values: dict[str, Any]
    """Empty where the line can't be read."""

    @property
    def kind(self) -> str:
        """Its kind."""
        kind = self.values.get("kind")
        return kind if isinstance(kind, str) else UNREADABLE

    @property
    def denied(self) -> bool:
        """Whether it says that something was denied or is missing."""
        if self.kind == "access":
            return self.values.get("outcome") != "permit"
        return self.kind in {"refused", "lost", UNREADABLE}


@dataclass(slots=True)
class _Place:
    """How far a segment has been read: up to the end of a line."""

    segment: Segment
    offset: int = 0
    time: str = ""
    done: bool = False
    """Whether nothing more is expected in it."""

    def missed(self) -> Entry:
        """Return an entry for lines that are no longer where they were."""
        return Entry(self.segment, self.time, {})


@dataclass(slots=True)
class Tails:
    """The segments in a directory, and how far each was read. Raises UnreadableLedgerError."""

    directory: Path
    denied: bool = False
    """Whether only entries are wanted that say that something was denied or is missing."""
    _places: dict[str, _Place] = field(default_factory=dict)

    def newest(self, count: int) -> list[Entry]:
        """Return the newest entries, oldest first; `new` goes on behind them."""
        journals: dict[str, list[_Place]] = {}
        for segment in find_segments(self.directory):
            journals.setdefault(segment.journal, []).append(self._place(segment))
        ends = []
        for places in journals.values():
            for earlier in places[:-1]:
                earlier.done = True
            for place in places:
                with _opened(place.segment) as file:
                    place.offset = _end_of_lines(file)
            ends.append(list(islice(_backwards(places, self.denied), count))[::-1])
        merged = list(heapq.merge(*ends, key=_time))
        return merged[-count:] if count else []

    @property
    def found(self) -> bool:
        """Whether there is any segment."""
        return bool(self._places)

    def new(self) -> Iterator[Entry]:
        """Return what was written since the last look, by time; a half-written line is left."""
        journals: dict[str, list[_Place]] = {}
        segments = find_segments(self.directory)
        for segment in segments:
            place = self._place(segment)
            if not place.done:
                journals.setdefault(segment.journal, []).append(place)
        gone = self._places.keys() - {segment.name for segment in segments}
        missed = [self._places.pop(name) for name in sorted(gone)]
        return chain(
            (place.missed() for place in missed if not place.done),
            heapq.merge(*(_forwards(each, self.denied) for each in journals.values()), key=_time),
        )

    def _place(self, segment: Segment) -> _Place:
        return self._places.setdefault(segment.name, _Place(segment))


@contextmanager
def _opened(segment: Segment) -> Iterator[IO[bytes]]:
    try:
        with segment.path.open("rb") as file:
            yield file
    except FileNotFoundError:  # gone since it was listed
        yield BytesIO()
    except OSError as error:
        raise UnreadableLedgerError(unreadable(segment.path, error)) from None


def _forwards(places: Iterable[_Place], denied: bool) -> Iterator[Entry]:
    """The entries of a journal behind what was read of it."""
    for place in places:
        with _opened(place.segment) as file:
            end = file.seek(0, 2)
            if end < place.offset:  # recovery took lines away, or somebody else
                yield place.missed()
                lines = _lines_backwards(file, whole := _end_of_lines(file))
                place.offset = whole - len(next(lines, b"")) - 1 if whole else 0
            yield from _read(place, file, denied)


def _read(place: _Place, file: IO[bytes], denied: bool) -> Iterator[Entry]:
    file.seek(place.offset)
    while line := file.readline(_LONGEST):
        if not line.endswith(b"\n") and len(line) < _LONGEST:
            return
        place.offset += len(line)
        if not line.strip() or (denied and _is_permit(line)):
            continue
        entry = _entry(place.segment, line, place.time)
        place.time = entry.time
        place.done = entry.kind == "close"
        if entry.denied or not denied:
            yield entry


def _backwards(places: list[_Place], denied: bool) -> Iterator[Entry]:
    """The entries of a journal, the last one first."""
    for place in reversed(places):
        with _opened(place.segment) as file:
            for line in _lines_backwards(file, place.offset):
                if denied and _is_permit(line):
                    continue
                entry = _entry(place.segment, line, place.time)
                place.time = place.time or entry.time
                if entry.denied or not denied:
                    yield entry


def _is_permit(line: bytes) -> bool:
    """Whether a line is seen at once to be a permitted access: millions may have to be passed."""
    return (
        line.find(b',"kind":"access",', 0, 40) > 0
        and b',"outcome":"permit",' in line
        and line.rstrip().endswith(b'"}')
    )


def _time(entry: Entry) -> str:
    return entry.time


def _entry(segment: Segment, line: bytes, before: str) -> Entry:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        return Entry(segment, before, {})
    time = values.get("time")
    return Entry(segment, time if isinstance(time, str) else before, values)


def _end_of_lines(file: IO[bytes]) -> int:
    """Where the last whole line ends."""
    end = file.seek(0, 2)
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _lines_backwards(file: IO[bytes], end: int) -> Iterator[bytes]:
    """The lines before `end`, the last one first; empty ones are left out."""
    rest: list[bytes] = []  # of a line that begins further ahead: its parts, the last one first
    held = 0
    while end:
        start = max(0, end - _BLOCK)
        file.seek(start)
        first, *lines = file.read(end - start).split(b"\n")
        if lines:
            lines[-1] = b"".join([lines[-1], *reversed(rest)])
            yield from filter(None, reversed(lines))
            rest, held = [], 0
        # Damage without line feeds must not be gathered up: what is kept of it isn't JSON either.
        if held < _LONGEST:
            rest.append(first)
            held += len(first)
        end = start
    if last := b"".join(reversed(rest)):
        yield last
