"""Reading a policy file's bytes: bounded, never hanging, and never a half-written file."""

import hashlib
import os
import stat
import time
from typing import NoReturn

from purposeguard.exceptions import PolicyError
from purposeguard.policy.problems import Problem

MAX_BYTES = 256 * 1024
"""Largest policy file that is read by default."""

_TRIES = 6
_PAUSE_S = 0.02

_KINDS = (
    (stat.S_ISDIR, "a directory"),
    (stat.S_ISFIFO, "a named pipe"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)


def read_bytes(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file. Raises PolicyError for anything else.

    Of a file with more than `max_bytes` it returns one byte more than that, whereby the parser
    knows. The file is read twice through one descriptor, and again where both differ, so that a
    file which is being rewritten in place isn't taken for a whole one.
    """
    name = _named(path)
    for tries in range(_TRIES):
        if tries:
            time.sleep(_PAUSE_S)
        first, second = _read_twice(name, max_bytes)
        if first == second:
            return first
    return _refuse(
        name,
        "the file changes while it is read: "
        "write the new version beside it and rename it into place",
    )


def content_digest(path: str | os.PathLike[str], max_bytes: int = MAX_BYTES) -> str:
    """Return the sha256 of a file's bytes, in hex. Raises PolicyError if it can't be read."""
    return hashlib.sha256(read_bytes(path, max_bytes)).hexdigest()


def _named(path: object) -> str:
    name = path.__fspath__() if isinstance(path, os.PathLike) else path
    if not isinstance(name, str):
        _refuse(None, "the policy's path is no text: give the path of a policy file")
    if not name:
        _refuse(None, "the policy's path is empty: give the path of a policy file")
    return name


def _read_twice(name: str, max_bytes: int) -> tuple[bytes, bytes]:
    try:
        # Without O_NONBLOCK, opening a named pipe would wait for a writer.
        descriptor = os.open(name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        _refuse(name, f"the file can't be opened ({_why(error)}): check the path and its rights")
    except ValueError:  # a NUL, or half of a surrogate pair
        _refuse(None, "the policy's path holds what no path can hold: correct it")
    try:
        _check_kind(name, os.fstat(descriptor))
        return _read_all(descriptor, max_bytes), _read_all(descriptor, max_bytes)
    except OSError as error:
        _refuse(name, f"the file can't be read ({_why(error)}): check the disk that it is on")
    finally:
        os.close(descriptor)


def _why(error: OSError) -> str:
    return os.strerror(error.errno or 0).lower()


def _check_kind(name: str, status: os.stat_result) -> None:
    for is_kind, kind in _KINDS:
        if is_kind(status.st_mode):
            _refuse(name, f"the path leads to {kind}: give the path of a regular file")
    if status.st_mode & stat.S_IWOTH:
        _refuse(
            name,
            "every user of this machine may change the file: take that right away (chmod o-w)",
        )


def _read_all(descriptor: int, max_bytes: int) -> bytes:
    os.lseek(descriptor, 0, os.SEEK_SET)
    read = b""
    while len(read) <= max_bytes:
        part = os.read(descriptor, max_bytes + 1 - len(read))
        if not part:
            break
        read += part
    return read


def _refuse(name: str | None, message: str) -> NoReturn:
    raise PolicyError([Problem(message, file=name)]) from None
