"""Keyed hashes, the only form in which a person or customer enters a record."""

import hashlib
from functools import lru_cache
from typing import TypeAlias
from uuid import UUID

Identifier: TypeAlias = str | int | UUID
"""What names a person or customer. Only its keyed hash is kept."""

_DIGEST_BYTES = 16
_MINIMUM_KEY_BYTES = 16
_REMEMBERED = 4096
"""How many hashes a key remembers, those that it was asked for last."""


class SubjectKey:
    """Makes keyed hashes (BLAKE2b, 32 hex digits) of people, customers and actors.

    The hash covers what the value is the identifier of, so that candidate 7 and customer 7 differ,
    and its text, so that 7 and "7" are the same. Raises ValueError for a key under 16 bytes, and
    TypeError for what is no bytes.
    """

    __slots__ = ("_key", "_remembered", "id")

    def __init__(self, key: bytes) -> None:
        if not isinstance(key, bytes):
            raise TypeError(
                "the subject key is no bytes: use for example `secrets.token_bytes(32)`"
            )
        if len(key) < _MINIMUM_KEY_BYTES:
            raise ValueError(
                f"the subject key has {len(key)} bytes: use at least {_MINIMUM_KEY_BYTES}, "
                "for example from `secrets.token_bytes(32)`"
            )
        # BLAKE2b takes 64 bytes at most, and a key of any length keeps all its entropy this way.
        self._key = hashlib.blake2b(key, person=b"purposeguard-key").digest()
        self._remembered = lru_cache(_REMEMBERED)(self._hashed)
        self.id = hashlib.blake2b(self._key, digest_size=4, person=b"purposeguard-id").hexdigest()

    def hash(self, kind: str, value: object) -> str:
        """Return the keyed hash of a value of one kind, `subject:<category>` for one."""
        exact = type(value) is str or type(value) is int  # others may be equal to anything
        return self._remembered(kind, value) if exact else self._hashed(kind, value)

    def _hashed(self, kind: str, value: object) -> str:
        text = f"{kind}\0{_text(value)}".encode("utf-8", "surrogatepass")
        return hashlib.blake2b(text, key=self._key, digest_size=_DIGEST_BYTES).hexdigest()


def _text(value: object) -> str:
    """Return the text of a value itself, whatever a subclass makes of `str(value)`."""
    if isinstance(value, str):
        return str.__str__(value)
    return int.__repr__(value) if isinstance(value, int) else str(value)


COLLECTIONS = frozenset({list, tuple, set, frozenset})
"""What several people may be given in: no subclass, which may do anything when it is read."""


def is_identifier(value: object) -> bool:
    """Whether a value may name a person or customer: `str`, `int` or `UUID`, and no `bool`."""
    kind = type(value)  # isinstance would ask the object, which may lie
    return issubclass(kind, str | int | UUID) and kind is not bool


def identifiers(value: object) -> tuple[object, ...] | None:
    """Return the identifiers in a value or a collection of values, or None where one is none."""
    values = tuple(value) if type(value) in COLLECTIONS else (value,)  # type: ignore[arg-type]
    return values if all(map(is_identifier, values)) else None
