"""The key of the chain, and the links it makes."""

import hashlib
import os
from pathlib import Path

from purposeguard.exceptions import UnusableLedgerError

KEY_VARIABLE = "PURPOSEGUARD_LEDGER_KEY"
KEY_FILE_VARIABLE = "PURPOSEGUARD_LEDGER_KEY_FILE"

MAC_BYTES = 16
_MINIMUM_KEY_BYTES = 16


class ChainKey:
    """Makes the links of a chain (BLAKE2b, 16 bytes), keyed, or plain without a key.

    Raises UnusableLedgerError for a key that is no bytes or has fewer than 16 of them.
    """

    __slots__ = ("_checkpoints", "id", "start")

    def __init__(self, key: bytes | None) -> None:
        secret = b""
        if key is not None:
            if not isinstance(key, bytes):
                raise UnusableLedgerError(
                    "the ledger's key is no bytes: use for example `secrets.token_bytes(32)`"
                )
            if len(key) < _MINIMUM_KEY_BYTES:
                raise UnusableLedgerError(
                    f"the ledger's key has {len(key)} bytes: use at least {_MINIMUM_KEY_BYTES}, "
                    "for example what `openssl rand -hex 32` prints"
                )
            # BLAKE2b takes 64 bytes at most, and a key of any length keeps all its entropy so.
            secret = hashlib.blake2b(key, person=b"purposeguard-led").digest()
        self.id = hashlib.blake2b(key=secret, digest_size=4).hexdigest() if secret else None
        self.start = hashlib.blake2b(key=secret, digest_size=MAC_BYTES).copy
        """Returns a new hash that has taken in the key: quicker than making one."""
        self._checkpoints = hashlib.blake2b(
            key=secret, digest_size=MAC_BYTES, person=b"purposeguard-chk"
        )

    def link(self, before: bytes, body: bytes) -> bytes:
        """Return the mac of a line, from the mac before it and its bytes up to its own mac."""
        hashed = self.start()
        hashed.update(before + body)
        return hashed.digest()

    def first(self, journal: str) -> bytes:
        """Return what stands before the first line of a journal."""
        return self.link(b"", journal.encode("ascii", "replace"))

    def signature(self, text: str) -> str | None:
        """Return the signature of a checkpoint's text, or None without a key."""
        if self.id is None:
            return None
        hashed = self._checkpoints.copy()
        hashed.update(text.encode())
        return hashed.hexdigest()


PLAIN = ChainKey(None)


def key_from_environment() -> bytes | None:
    """Return the key that the environment holds or names the file of, or None.

    Raises UnusableLedgerError where it names both, or a file that can't be read or is empty.
    """
    text, file = os.environ.get(KEY_VARIABLE), os.environ.get(KEY_FILE_VARIABLE)
    if text is not None and file is not None:
        raise UnusableLedgerError(
            f"both `{KEY_VARIABLE}` and `{KEY_FILE_VARIABLE}` are set: keep one of them"
        )
    if file is not None:
        return key_from_file(file)
    return None if text is None else os.fsencode(text)


def key_from_file(file: str | os.PathLike[str]) -> bytes:
    """Return the key in a file: its bytes, less one line feed at their end."""
    try:
        key = Path(file).read_bytes().removesuffix(b"\n")
    except OSError as error:
        raise UnusableLedgerError(
            f"the ledger's key file can't be read ({error.strerror}): correct its path or rights"
        ) from None
    if not key:
        raise UnusableLedgerError("the ledger's key file is empty: write the key into it")
    return key
