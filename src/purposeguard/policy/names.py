"""Keys: their form, how they are printed, and the nearest known one."""

import difflib
import re
from collections.abc import Iterable
from enum import StrEnum
from typing import cast

KEY_FORM = r"[a-z0-9_]+"
PURPOSE_FORM = r"[a-z0-9_]+(\.[a-z0-9_]+)*"
MAX_KEY_LENGTH = 64

RESERVED = frozenset({"*", "all", "any", "default"})
"""Names that would read as a wildcard; no key may be one of them."""

_PURPOSE = re.compile(PURPOSE_FORM)
_NO_TEXT = "<no text>"
_SHOWN = re.compile(rf"<[0-9]{{1,9}} characters>|{_NO_TEXT}")
"""What `shown` makes of names that are no keys: showing it again changes nothing."""


def exact(name: object) -> str | None:
    """Return `name` as a plain `str`, or None where it is none.

    Only `str` itself and members of a `StrEnum` pass: any other subclass may compare as it likes.
    """
    if type(name) is str:
        return name
    if issubclass(type(name), StrEnum):  # isinstance would ask the object, which may lie or raise
        return str(cast("StrEnum", name).value)
    return None


def is_key(name: str) -> bool:
    """Whether `name` has the form of a key (dots allowed) of at most 64 characters."""
    return len(name) <= MAX_KEY_LENGTH and _PURPOSE.fullmatch(name) is not None


def shown(name: object) -> str:
    """Return `name` as decisions and records keep it: a key as it is, anything else by its length.

    A name met at run time may hold personal data, so only what has the form of a key is kept.
    """
    text = exact(name)
    if text is None:
        return _NO_TEXT
    return text if is_key(text) or _SHOWN.fullmatch(text) else f"<{len(text)} characters>"


def printable(name: object) -> str:
    """Return `name` as messages show it: in backticks, or by its length where it is no key."""
    text = shown(name)
    if text == _NO_TEXT:
        return "a name that is no text"
    return f"a name of {text[1:-1]}" if text.endswith(" characters>") else f"`{text}`"


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that `name` is most likely a slip of, or None."""
    if len(name) > 4 * MAX_KEY_LENGTH:
        return None
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    return found[0] if found else None


def parents(purpose: str) -> tuple[str, ...]:
    """Return the ancestors of a dotted purpose key, nearest first."""
    parts = purpose.split(".")
    return tuple(".".join(parts[:n]) for n in range(len(parts) - 1, 0, -1))
