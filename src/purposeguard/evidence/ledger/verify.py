"""Verifying a ledger: that every chain is whole, and goes on from one segment to the next."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain as chain_of
from itertools import groupby
from pathlib import Path
from typing import Any

from purposeguard.evidence.ledger.checkpoints import Checkpoint
from purposeguard.evidence.ledger.keys import PLAIN, ChainKey
from purposeguard.evidence.ledger.lines import SegmentName, parsed, split_mac, stamp
from purposeguard.evidence.ledger.reading import (
    LONGEST_LINE,
    Chain,
    Line,
    in_use,
    kind_of,
    lines_of,
    open_segment,
    opening,
    segments_in,
    vacant,
)

_ENDS = (b"close", b"recovered")
_BEHIND = "stands behind the segment's end"

Progress = Callable[[int], None]
"""Is told how many more bytes have been read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about one segment. `line` is 0 where it is about the whole of it."""

    segment: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.segment}{f':{self.line}' if self.line else ''}: {self.text}"


@dataclass(frozen=True, slots=True)
class Head:
    """The last line of a journal."""

    segment: str
    seq: int
    mac: str
    key: str | None


@dataclass(slots=True)
class Verdict:
    """What verifying a ledger has come to."""

    problems: list[Finding] = field(default_factory=list)
    """What can't be if nobody has touched it."""
    unverified: list[Finding] = field(default_factory=list)
    """What can't be told without a key that was not given."""
    notes: list[Finding] = field(default_factory=list)
    """What an operator should know: crashes, gaps, segments in use."""
    segments: int = 0
    records: int = 0
    refused: int = 0
    lost: int = 0
    plain: int = 0
    """Segments whose chain has no key: anybody who can write them can make it whole again."""
    heads: list[Head] = field(default_factory=list)
    """The last verified line of each journal."""

    @property
    def intact(self) -> bool:
        """Whether all of it was verified, and nothing found that can't be."""
        return not self.problems and not self.unverified


@dataclass(slots=True)
class _Read:
    """What reading one segment has come to."""

    name: SegmentName
    opened: dict[str, Any] | None = None
    first_seq: int = 0
    seq: int = 0
    mac: bytes = b""
    macs: dict[int, str] = field(default_factory=dict)
    """The macs of the lines that somebody asks for."""
    last_kind: bytes = b""
    in_use: bool = False
    empty: bool = False
    """Whether it holds no whole line."""
    broken: bool = False
    """Whether it could not be followed to its end, which was told."""


def keys_by_id(keys: Iterable[bytes]) -> dict[str | None, ChainKey]:
    """Return keys by their ids, the plain chain's among them."""
    made = map(ChainKey, keys)
    return {None: PLAIN, **{key.id: key for key in made}}


def verify(
    directory: Path,
    keys: Mapping[str | None, ChainKey],
    checkpoints: Iterable[Checkpoint] = (),
    progress: Progress | None = None,
    *,
    allow_plain: bool = False,
) -> Verdict:
    """Verify all segments of a ledger, and that each checkpoint is on its chain.

    Where a key is given, a segment without one is a problem unless `allow_plain`: whoever can write
    the directory could put it there in place of one with a key.

    Safe while processes write. Raises UnusableLedgerError where the directory can't be read.
    """
    verdict = Verdict()
    wanted: dict[str, list[Checkpoint]] = {}
    for checkpoint in checkpoints:
        wanted.setdefault(checkpoint.segment, []).append(checkpoint)
    for _, group in groupby(segments_in(directory), key=lambda each: each[0].journal):
        before: _Read | None = None
        reads: dict[str, _Read] = {}
        journal = list(group)
        openings = [_opening_of(name, path) for name, path in journal]
        for name, path in journal:
            goes_on = [each for each in openings if _previous(each).get("segment") == str(name)]
            needed = {each.seq for each in wanted.get(str(name), ())}
            needed |= {_number(_previous(each), "seq") for each in goes_on}
            reading = _Reading(name, path, keys, verdict, needed, _void_behind(goes_on))
            read = reading.read(progress)
            reads[str(name)] = read
            _join(before, reads, read, verdict)
            _hold_against(wanted.pop(str(name), []), read, keys, verdict)
            before = read
        verdict.heads += _head_of(list(reads.values()))
        if before is not None:
            _end(before, verdict)
    for segment, missing in wanted.items():
        text = f"the segment is missing, and a checkpoint has seen its line {missing[-1].seq}"
        verdict.problems.append(Finding(segment, 0, text))
    if keys.keys() - {None} and verdict.plain and not allow_plain:
        text = f"{verdict.plain} of its segments have no key, though one is given: forged, or older"
        verdict.problems.append(Finding(str(directory), 0, text))
    return verdict


def _head_of(reads: list[_Read]) -> Iterator[Head]:
    """Yield the last line that was followed to, if nothing before it was wrong."""
    for read in reversed(reads):
        if read.last_kind and read.opened is not None:
            yield Head(str(read.name), read.seq, read.mac.hex(), read.opened.get("key"))
            return


def _void_behind(goes_on: list[dict[str, Any]]) -> int | None:
    """Return the line behind which nothing counts, where a segment was given up.

    Records behind it may be in the file, and their accesses were recorded, refused or counted as
    lost once more, elsewhere.
    """
    seqs = [_number(_previous(each), "seq") for each in goes_on if each.get("cause") is not None]
    return min(seqs, default=None)


def _previous(opened: dict[str, Any]) -> dict[str, Any]:
    found = opened.get("previous")
    return found if isinstance(found, dict) else {}


class _Reading:
    """Reads one segment and notes what is wrong with it."""

    def __init__(
        self,
        name: SegmentName,
        path: Path,
        keys: Mapping[str | None, ChainKey],
        verdict: Verdict,
        needed: set[int],
        void_behind: int | None,
    ) -> None:
        self._path = path
        self._keys = keys
        self._verdict = verdict
        self._needed = needed
        self._void_behind = void_behind
        self._read = _Read(name)

    def read(self, progress: Progress | None) -> _Read:
        read = self._read
        self._verdict.segments += 1
        try:
            with open_segment(self._path) as file:
                # Whether an empty file is in use can't be told, so none of what comes later counts.
                lines = iter(()) if vacant(file.fileno()) else lines_of(file)
                read.in_use = in_use(self._path)
                self._lines(lines, progress)
        except OSError as error:
            return self._unreadable(f"can't be read ({error.strerror})")
        return read

    def _unreadable(self, text: str) -> _Read:
        self._problem(0, text)
        return self._read

    def _problem(self, line: int, text: str) -> None:
        self._verdict.problems.append(Finding(str(self._read.name), line, text))

    def _note(self, line: int, text: str) -> None:
        self._verdict.notes.append(Finding(str(self._read.name), line, text))

    def _lines(self, lines: Iterator[Line], progress: Progress | None) -> None:
        read = self._read
        first = next(lines, None)
        if first is None or not first.whole:
            read.empty = True
            if not read.in_use:
                self._note(0, "holds no whole line: its process died, or it was emptied")
            return
        opened = opening(first, read.name)
        if opened is None:
            self._problem(first.number, "is not the first line of this segment")
            return
        read.opened = opened
        if opened.get("format") != 1:
            self._problem(first.number, "has a format that this version can't read: update it")
            return
        key = self._keys.get(opened.get("key"))
        if key is None:
            read.broken = True
            text = f"was written with key `{opened.get('key')}`, which is not given"
            self._verdict.unverified.append(Finding(str(read.name), 0, text))
            return
        if key.id is None:
            self._verdict.plain += 1
        chain = Chain.before(opened, read.name, key)
        if chain is None:
            self._problem(first.number, "doesn't say where its chain goes on from")
            return
        read.first_seq = chain.seq + 1
        for line in chain_of((first,), lines):
            if progress is not None:
                progress(len(line.raw))
            wrong = self._take(chain, line) if line.whole else self._part(line)
            if wrong is not None:
                behind = sum(1 for _ in lines)
                unchecked = f" (and {behind} behind it can't be checked)" if behind else ""
                read.broken = True
                self._problem(line.number, f"{wrong}{unchecked}")
                return

    def _part(self, line: Line) -> str | None:
        """Judge a line without its line feed: a crash leaves one, or it is being written.

        Longer than any line it is something else.
        """
        if self._read.last_kind in _ENDS:
            return _BEHIND
        if len(line.raw) >= LONGEST_LINE:
            return f"has no line feed within {len(line.raw):,} bytes"
        if not self._read.in_use and line.raw.strip(b"\0"):
            self._note(line.number, "was written in part: opening the ledger sets it aside")
        return None

    def _take(self, chain: Chain, line: Line) -> str | None:
        """Go on to a line, and say what is wrong where the rest can't be followed."""
        read = self._read
        if read.last_kind in _ENDS:
            return _BEHIND
        wrong = chain.follow(line.raw)
        if wrong is not None:
            return wrong
        kind = kind_of(line.raw)
        read.seq, read.mac, read.last_kind = chain.seq, chain.mac, kind
        if chain.seq in self._needed:
            read.macs[chain.seq] = chain.mac.hex()
        if self._void_behind is None or chain.seq <= self._void_behind:
            self._count(kind, line)
        return None

    def _count(self, kind: bytes, line: Line) -> None:
        verdict = self._verdict
        if kind == b"access":
            verdict.records += 1
        elif kind == b"refused":
            verdict.refused += 1
        elif kind == b"lost":
            found = parsed(line.raw) or {}
            verdict.lost += _number(found, "count")
            verdict.refused += _number(found, "refused")
            self._note(
                line.number,
                f"{found.get('count')} records are missing and {found.get('refused')} accesses "
                f"were refused since {found.get('since')} ({found.get('cause')})",
            )
        elif kind == b"recovered":
            found = parsed(line.raw) or {}
            if found.get("bytes"):
                self._note(
                    line.number,
                    f"{found['bytes']} bytes were set aside in `{found.get('aside')}`: its "
                    "process died, or its end was changed",
                )


def _number(found: dict[str, Any], key: str) -> int:
    """Return a number in a line that anybody may have written, where its chain has no key."""
    value = found.get(key)
    return value if isinstance(value, int) else 0


def _opening_of(name: SegmentName, path: Path) -> dict[str, Any]:
    """Return what the first line of a segment says; nothing where it can't be read."""
    try:
        with open_segment(path) as file:
            first = next(lines_of(file), None)
    except OSError:
        return {}
    return (opening(first, name) if first is not None else None) or {}


def _join(before: _Read | None, reads: Mapping[str, _Read], read: _Read, verdict: Verdict) -> None:
    """Judge how a segment goes on from the one before it in its journal."""
    name = str(read.name)
    number = before.name.number + 1 if before else 1
    if read.name.number != number:
        missing = SegmentName(read.name.journal, number)
        last = read.name.number - 1
        up_to = "" if last == number else f" to {last:06d}"
        verdict.problems.append(Finding(str(missing), 0, f"the segment{up_to} is missing"))
        return
    opened = read.opened
    if before is None or opened is None:
        return
    if before.opened is not None and before.opened.get("key") != opened.get("key"):
        text = "has another key than the segment before it: nobody changes keys within a journal"
        verdict.problems.append(Finding(name, 1, text))
    previous = opened.get("previous") or {}
    if previous.get("segment") != str(before.name):
        if (
            not previous
            and opened.get("cause")
            and not any(each.last_kind for each in reads.values() if each is not read)
        ):
            return  # those before it were given up before they held a line
        # One that was given up before it held a record is passed over.
        meant = reads.get(str(previous.get("segment")))
        known = meant is not None and meant.macs.get(_number(previous, "seq"))
        if opened.get("cause") is None or known != previous.get("mac"):
            verdict.problems.append(Finding(name, 1, "doesn't go on from the segment before"))
        return
    if before.opened is None:
        if before.empty:
            text = f"was emptied: the next segment goes on from its line {previous.get('seq')}"
            verdict.problems.append(Finding(str(before.name), 0, text))
        return  # else it was told already
    seq, mac = previous.get("seq"), previous.get("mac")
    if seq == before.seq and mac == before.mac.hex():
        return
    ahead = before.seq - seq if isinstance(seq, int) else -1
    # The last write before a segment is given up may have got there all the same (where every
    # record is synced it has many lines), and recovery adds one. All of them are behind what the
    # next segment knows of.
    most = before.seq if (before.opened or {}).get("durability") == "power" else 2
    given_up = opened.get("cause") is not None
    if given_up and 0 < ahead <= most and before.macs.get(seq or 0) == mac:
        return
    if ahead < 0:
        text = f"its end was cut off: the next segment goes on from its line {seq}"
        verdict.problems.append(Finding(str(before.name), 0, text))
    else:
        verdict.problems.append(Finding(name, 1, "doesn't go on from the end of the one before"))


def _hold_against(
    checkpoints: list[Checkpoint],
    read: _Read,
    keys: Mapping[str | None, ChainKey],
    verdict: Verdict,
) -> None:
    for checkpoint in checkpoints:
        where = f"the checkpoint of {checkpoint.time} at line {checkpoint.seq}"
        key = keys.get(checkpoint.key)
        if key is None:
            text = f"{where} was made with key `{checkpoint.key}`, which is not given"
            verdict.unverified.append(Finding(str(read.name), 0, text))
            continue
        if not checkpoint.genuine(key):
            text = f"{where} was changed: its signature is wrong"
        elif checkpoint.key != (read.opened or {}).get("key"):
            text = f"{where} was made with another key than the segment"
        elif checkpoint.seq not in read.macs:
            text = f"{where} is not reached: the segment was cut off or damaged before it"
        elif read.macs[checkpoint.seq] != checkpoint.mac:
            text = f"{where} has another mac: the segment was rewritten"
        else:
            continue
        verdict.problems.append(Finding(str(read.name), 0, text))


def _end(last: _Read, verdict: Verdict) -> None:
    """Judge how a journal ends."""
    if last.in_use or last.broken or not last.last_kind:
        return
    if last.last_kind not in (b"close", b"recovered"):
        text = "ends without a closing line: its process was killed, or its end was cut off"
        verdict.notes.append(Finding(str(last.name), 0, text))


def signed(
    found: Iterable[Head], keys: Mapping[str | None, ChainKey], now: int
) -> list[Checkpoint]:
    """Return a checkpoint of each, signed with its chain's key. `now` is in nanoseconds."""
    time = stamp(now)
    return [
        Checkpoint.of(keys[each.key], time=time, segment=each.segment, seq=each.seq, mac=each.mac)
        for each in found
    ]


def heads(directory: Path, keys: Mapping[str | None, ChainKey]) -> Iterator[Head]:
    """Yield the last whole line of each journal whose key is given, without verifying anything."""
    for _, group in groupby(segments_in(directory), key=lambda each: each[0].journal):
        for name, path in reversed(list(group)):
            made = _last_line(name, path)
            if made is not None and made.key in keys:
                yield made
                break


def _last_line(name: SegmentName, path: Path) -> Head | None:
    with open_segment(path) as file:
        lines = lines_of(file)
        first = next(lines, None)
        opened = opening(first, name) if first is not None else None
        if first is None or opened is None:
            return None
        last = opened
        file.seek(max(first.offset + len(first.raw), path.stat().st_size - (1 << 20)))
        for line in lines_of(file):
            if line.whole and split_mac(line.raw):
                last = parsed(line.raw) or last
    return Head(str(name), _number(last, "seq"), str(last.get("mac")), opened.get("key"))
