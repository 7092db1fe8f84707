"""Recovery: what is done on opening a ledger with the segments of processes that died.

A process that dies may leave its last line in part, and a machine that loses power anything after
what was synced. Such an end is set aside, never deleted, and a line says so. Damage that whole
lines follow is no such end: it is told, and left as it is.
"""

import errno
import os
import stat
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain as chain_of
from pathlib import Path
from typing import IO, Any

from purposeguard.evidence.ledger.keys import ChainKey
from purposeguard.evidence.ledger.lines import (
    END,
    FORMAT,
    MAC_MARK,
    RESERVE_NAME,
    RESERVE_SUFFIX,
    SegmentName,
    members,
    parsed,
    split_mac,
    stamp,
)
from purposeguard.evidence.ledger.reading import (
    Chain,
    Line,
    kind_of,
    lines_of,
    open_segment,
    opening,
    segments_in,
    vacant,
)
from purposeguard.evidence.ledger.segment import locked, sync_directory
from purposeguard.interrupts import let_through

_ENDS = frozenset({b"close", b"recovered"})
_STALE_SECONDS = 60
"""Age at which a reserve that nobody has locked was left by a process that died."""
_BLOCK = 1 << 20
_FIRST_BYTES = 4096
"""More than what a segment holds before its first sync, which no record relies on."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """What was found, and done, about one segment."""

    segment: str
    damaged: str | None
    """What is wrong with it and was left as it is, or None where its end was put right."""
    aside: str | None = None
    """The file that holds what was set aside, or None."""
    set_aside: int = 0
    """Bytes."""


def recover(directory: Path, key: ChainKey) -> Iterator[Recovery]:
    """Put right the ends of segments whose process has died, and yield what there was to do.

    A segment that a process has open, or that another key or format was used for, is left alone.
    """
    for name, path in segments_in(directory):
        if not _ended(path):
            yield from _recover(name, path, key)
    _drop_stale_reserves(directory)


def _ended(path: Path) -> bool:
    """Whether the last line of a segment says that it is the last; a quick look at its end.

    It may have got to disk before the lines that were written with it: it is only believed if it
    says that they were there.
    """
    try:
        with open_segment(path) as file:
            file.seek(max(0, path.stat().st_size - 4096))
            rest = file.read()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    last = rest.rstrip(b"\n").rpartition(b"\n")[2] + b"\n"
    whole = rest.endswith(b"\n") and split_mac(last)
    end = parsed(last) if whole and kind_of(last) in _ENDS else None
    if end is None:
        return False
    seq, synced = end.get("seq"), end.get("synced")
    return synced is None or (isinstance(seq, int) and synced == seq - 1)


def _recover(name: SegmentName, path: Path, key: ChainKey) -> Iterator[Recovery]:
    flags = os.O_RDWR | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags)
    except OSError as error:
        yield Recovery(str(name), f"can't be opened ({error.strerror})")
        return
    try:
        with os.fdopen(descriptor, "r+b") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "no file of its own")
            free = not vacant(descriptor) and locked(descriptor)
            found = _put_right(name, path, key, file) if free else None
    except Exception as error:  # noqa: BLE001 - one file must not keep a service from starting
        let_through(error)
        why = error.strerror if isinstance(error, OSError) else type(error).__name__
        found = Recovery(str(name), f"can't be put right ({why or 'failed'})")
    if found is not None:
        yield found


def _put_right(name: SegmentName, path: Path, key: ChainKey, file: IO[bytes]) -> Recovery | None:
    lines = lines_of(file)
    first = next(lines, None)
    if first is None:
        return None
    opened = opening(first, name)
    if opened is not None and (opened.get("format"), opened.get("key")) != (FORMAT, key.id):
        return None
    chain = Chain.before(opened, name, key) if opened is not None else None
    if opened is None or chain is None or chain.follow(first.raw) is not None:
        return _begun_in_part(name, path, file)
    last, bad = _follow(chain, first, lines)
    if kind_of(last.raw) in _ENDS:
        if bad is None:  # another process was quicker to recover it
            return None
        return Recovery(str(name), f"line {bad.number} stands behind its last line")
    if bad is not None:
        reason = _damage(bad, lines, chain, opened)
        if reason is not None:
            return Recovery(str(name), reason)
    return _end(name, path, file, chain, last.offset + len(last.raw))


def _begun_in_part(name: SegmentName, path: Path, file: IO[bytes]) -> Recovery | None:
    """A segment whose first line was never written whole holds no record, and no chain to end."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if size > _FIRST_BYTES or any(split_mac(line.raw) for line in lines_of(file)):
        return Recovery(str(name), "its first line was changed")
    aside = _set_aside(path, file, 0)
    return Recovery(str(name), None, aside, size) if aside else None


def _follow(chain: Chain, first: Line, lines: Iterator[Line]) -> tuple[Line, Line | None]:
    """Return the last good line, and the line behind it, which is not good."""
    last = first
    for line in lines:
        if chain.follow(line.raw) is not None:
            return last, line
        last = line
    return last, None


def _damage(bad: Line, lines: Iterator[Line], chain: Chain, opened: dict[str, Any]) -> str | None:
    """Say that a bad line can't be the end that a crash left behind, or return None.

    Lines behind it that are whole mean damage. But where every record was synced, what had not been
    synced may reach the disk in any order, and so a hole before whole lines: their own `synced`
    tells which it was.
    """
    whole = [line for line in chain_of((bad,), lines) if split_mac(line.raw)]
    if not whole:
        return None
    synced = [(parsed(line.raw) or {}).get("synced", 0) for line in whole]
    if opened.get("durability") == "power" and all(
        isinstance(each, int) and each <= chain.seq for each in synced
    ):
        return None
    if whole == [bad]:
        return f"line {bad.number}, the last one, was changed"
    return f"line {bad.number} is damaged, and whole lines follow it"


def _end(
    name: SegmentName, path: Path, file: IO[bytes], chain: Chain, good_to: int
) -> Recovery | None:
    """Set aside what follows the last good line, and end the segment with a line that says so."""
    aside = _set_aside(path, file, good_to) or _set_aside_before(path)
    size = path.with_name(aside).stat().st_size if aside else 0
    values = {"bytes": size, "aside": aside}
    body = (
        f'{{"seq":{chain.seq + 1},"kind":"recovered","time":"{stamp(time.time_ns())}"'
        f"{members(values)}"
    ).encode()
    mac = chain.link(body)
    line = body + MAC_MARK + mac.hex().encode() + END
    # Past the buffer, which would try once more, on closing, what has failed half way.
    if os.pwrite(file.fileno(), line, good_to) != len(line):
        raise OSError(errno.EIO, "its line was written in part")
    _sync(file)
    return Recovery(str(name), None, aside, size) if aside else None


def _set_aside(path: Path, file: IO[bytes], good_to: int) -> str | None:
    """Move what follows the last good line into a file of its own, and return that file's name.

    Each step is on disk before the next one: whatever moment ends this, it can be done anew.
    """
    aside = None
    if any(block.strip(b"\n") for block in _blocks(file, good_to)):
        aside = _write_aside(path, _blocks(file, good_to))
        sync_directory(path.parent)
    if file.seek(0, os.SEEK_END) > good_to:
        file.truncate(good_to)
    _sync(file)
    return aside


def _blocks(file: IO[bytes], start: int) -> Iterator[bytes]:
    file.seek(start)
    while block := file.read(_BLOCK):
        yield block


def _write_aside(path: Path, rest: Iterable[bytes]) -> str:
    """Write what is set aside into the next file that is free."""
    number = 1
    while True:
        aside = path.with_name(f"{path.name}.torn-{number}")
        try:
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            number += 1
            continue
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.writelines(rest)
                _sync(file)
        except OSError:  # all of it is still in the segment
            aside.unlink(missing_ok=True)
            raise
        return aside.name


def _set_aside_before(path: Path) -> str | None:
    """Return the file that a recovery wrote which did not get to its line, the last one's."""
    found = None
    number = 1
    while (aside := path.with_name(f"{path.name}.torn-{number}")).exists():
        found = aside.name
        number += 1
    return found


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _drop_stale_reserves(directory: Path) -> None:
    """Remove the reserves of processes that died: files by our names that hold line feeds only."""
    for path in directory.glob(f"*{RESERVE_SUFFIX}"):
        if not RESERVE_NAME.fullmatch(path.name):
            continue
        try:
            with open_segment(path) as file:
                old = time.time() - os.fstat(file.fileno()).st_mtime > _STALE_SECONDS
                holds = old and any(block.strip(b"\n") for block in _blocks(file, 0))
                if old and not holds and locked(file.fileno()):
                    path.unlink()
        except OSError:
            continue
