"""The segments of a ledger's directory, and what the first line of each says."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_NAME = re.compile(r"(\d{8}T\d{6}\.\d{6}Z-(\d{1,18})-[0-9a-f]{8})-(\d{6,18})\.jsonl")

_LONGEST_OPENING = 64 * 1024
_LOOK = 16 * 1024


class UnreadableLedgerError(Exception):
    """The ledger, or an export of it, can't be read. The message says the fix."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment, as its file's name has it."""

    path: Path
    journal: str
    process: int
    number: int

    @property
    def name(self) -> str:
        """Its name: the file's, without `.jsonl`."""
        return self.path.stem

    def opening(self) -> dict[str, Any]:
        """Return what its first line says; nothing where that is no such line."""
        with self.path.open("rb") as file:
            line = file.readline(_LONGEST_OPENING)
        try:
            found: Any = json.loads(line)
        except (ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    def may_hold_line_over(self, length: int) -> bool:
        """Return whether there may be a line of more bytes; if there is one, the answer is yes.

        Such a line fills at least one of the blocks of half its length, so that it's enough to look
        for a line feed from the start of each on.
        """
        block = length // 2
        with self.path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            return any(_is_filled(file, start, block) for start in range(0, size - block, block))


def find_segments(directory: Path) -> list[Segment]:
    """Return the segments in a directory, by journal and number; other files are left alone.

    Raises UnreadableLedgerError where it can't be listed.
    """
    try:
        with os.scandir(directory) as entries:
            paths = [directory / each.name for each in entries if _is_file(each)]
    except OSError as error:
        raise UnreadableLedgerError(unreadable(directory, error)) from None
    named = ((_NAME.fullmatch(path.name), path) for path in paths)
    found = [Segment(path, name[1], int(name[2]), int(name[3])) for name, path in named if name]
    return sorted(found, key=lambda each: (each.journal, each.number))


def _is_file(entry: "os.DirEntry[str]") -> bool:
    """Whether it is a file of its own: reading a pipe would never end."""
    try:
        return entry.is_file(follow_symlinks=False)
    except OSError:
        return False


def _is_filled(file: IO[bytes], start: int, length: int) -> bool:
    """Whether there is no line feed."""
    file.seek(start)
    while length > 0 and (part := file.read(min(length, _LOOK))):
        if b"\n" in part:
            return False
        length -= len(part)
    return True


def unreadable(path: Path, error: OSError) -> str:
    """Return the line for a file or directory that can't be read."""
    why = (error.strerror or type(error).__name__).lower()
    return f"{path} can't be read ({why}): check the path and its permissions"
