"""One file of a ledger that this process alone writes to, from its first line to its last."""

import errno
import os
import time
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows, where a ledger says so when it is made
    fcntl = None  # type: ignore[assignment]

_FLAGS = os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | getattr(os, "O_NOFOLLOW", 0)
_BLANK = b"\n"
_LOOKS = 500
"""Milliseconds to wait for others that look at a new file."""


class DamagedError(OSError):
    """The file is not what was written any more: `strerror` says what became of it."""


def locked(descriptor: int, *, shared: bool = False) -> bool:
    """Lock an open file for this process alone, or with others that look. False where it is."""
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_new(descriptor: int) -> None:
    """Lock a file that was just made: whoever has it locked already only looks at it."""
    for _ in range(_LOOKS):
        if locked(descriptor):
            return
        time.sleep(0.001)
    raise OSError(None, "locked by another process")


def _to_disk(descriptor: int) -> None:
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS, where a plain sync may stop at the disk's cache
        fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(descriptor)


def _write_whole(descriptor: int, data: bytes) -> None:
    """Write all of it. A full disk takes a part first, and only the next call says why."""
    done = os.write(descriptor, data)
    if done != len(data):
        done += os.write(descriptor, data[done:])
        if done != len(data):
            raise OSError(None, "short write")


def sync_directory(path: Path) -> None:
    """Make sure that names made or taken in a directory are on disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class Segment:
    """An open segment. What it raises is an OSError, after which it must not be written to again.

    Raises FileExistsError where there is such a file, whatever it is.
    """

    __slots__ = ("_descriptor", "_identity", "failed", "path", "size", "synced")

    def __init__(self, path: Path, *, flags: int = os.O_WRONLY | os.O_APPEND) -> None:
        self.path = path
        self.size = 0
        """Bytes written."""
        self.synced = 0
        """How many of them are known to be on disk."""
        self.failed: str | None = None
        """Why nothing more may be written to it or synced."""
        self._descriptor = -1
        try:
            self._descriptor = os.open(path, flags | _FLAGS, 0o600)
            self._identify()
            _lock_new(self._descriptor)
        except BaseException:
            if self._descriptor >= 0:
                self._identify()
                self.discard()
            raise

    def _identify(self) -> None:
        found = os.fstat(self._descriptor)
        self._identity = (found.st_dev, found.st_ino)

    def write(self, line: bytes) -> None:
        """Append a whole line."""
        _write_whole(self._descriptor, line)
        self.size += len(line)

    def look(self) -> None:
        """Raise DamagedError unless the file is still there under its name, with its content."""
        least, _ = self._expected()
        size = self.find().st_size
        _, most = self._expected()  # another thread may have flushed meanwhile
        if not least <= size <= most:
            raise DamagedError(None, "cut off" if size < least else "written to")

    def find(self) -> os.stat_result:
        """Raise DamagedError unless the file is still there under its name, whatever its size."""
        try:
            mine = os.fstat(self._descriptor)
        except OSError:
            raise DamagedError(None, "closed by something else") from None
        if (mine.st_dev, mine.st_ino) != self._identity:
            raise DamagedError(None, "closed by something else")
        try:
            named = self.path.lstat()
        except OSError:
            raise DamagedError(None, "vanished") from None
        if (named.st_dev, named.st_ino) != self._identity:
            raise DamagedError(None, "replaced")
        return mine

    def _expected(self) -> tuple[int, int]:
        return self.size, self.size

    def sync(self) -> None:
        """Wait until everything written is on disk, and make sure that it is the file."""
        size = self.size
        _to_disk(self._descriptor)
        if self.find().st_size < size:
            raise DamagedError(None, "cut off")
        self.synced = size

    def close(self) -> None:
        """Close the file, and its lock with it. Never raises, never closes a stranger's file."""
        descriptor, self._descriptor = self._descriptor, -1
        try:
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) == self._identity:
                os.close(descriptor)
        except OSError:
            pass

    def discard(self) -> bool:
        """Take the file away again. False where that can't be done."""
        try:
            self.find()
            self.path.unlink()
        except OSError:
            return False
        finally:
            self.close()
        return True


class BufferedSegment(Segment):
    """A segment whose lines wait in memory for the next sync, which writes them all at once.

    Whoever waits for the sync has no use for an earlier write: it would only cost a switch of
    threads each.
    """

    __slots__ = ("_flying", "_lines")

    def __init__(self, path: Path) -> None:
        self._lines: list[bytes] = []
        self._flying = 0
        super().__init__(path)

    def write(self, line: bytes) -> None:
        """Take a whole line."""
        self._lines.append(line)
        self.size += len(line)

    def take(self) -> bytes:
        """Return the lines that wait, for one `flush`. Not while another thread may write."""
        lines, self._lines = self._lines, []
        return b"".join(lines)

    def flush(self, lines: bytes) -> None:
        """Write and sync lines, and make sure that it is the file. One thread at a time.

        `land` says that they are on disk: the caller may have to look at more before.
        """
        self._flying = len(lines)
        _write_whole(self._descriptor, lines)
        _to_disk(self._descriptor)
        if self.find().st_size < self.synced + len(lines):
            raise DamagedError(None, "cut off")

    def land(self) -> None:
        """Count what was flushed as on disk."""
        self.synced += self._flying
        self._flying = 0

    def _expected(self) -> tuple[int, int]:
        return self.synced, self.synced + self._flying


class Reserve(Segment):
    """A segment whose room is taken in advance, for when the disk is full.

    It is named as one only once it is needed, and filled with line feeds, which mean nothing.
    """

    __slots__ = ("_room",)

    def __init__(self, path: Path, room: int) -> None:
        super().__init__(path, flags=os.O_WRONLY)
        self._room = room
        try:
            left = room
            while left:
                left -= os.write(self._descriptor, _BLANK * left)
            os.lseek(self._descriptor, 0, os.SEEK_SET)
        except BaseException:
            self.discard()
            raise

    def fits(self, length: int) -> bool:
        """Whether there is room for a line of that length."""
        return self.size + length <= self._room

    def _expected(self) -> tuple[int, int]:
        return self._room, self._room

    def rename(self, path: Path) -> None:
        """Give it the name of a segment. Raises FileExistsError where there is such a file."""
        self.find()
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, "exists")
        self.path.rename(path)
        self.path = path
