"""The keys that a ledger's commands use: those of the environment, and those in named files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from purposeguard.evidence.ledger.keys import ChainKey, key_from_environment, key_from_file
from purposeguard.evidence.ledger.verify import keys_by_id

KeyFiles = Annotated[
    list[Path] | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help="A file with a key of the chain, besides the one that the environment names; again "
        "for further keys.",
        show_default=False,
    ),
]


def keyring(files: list[Path] | None) -> Mapping[str | None, ChainKey]:
    """Return all keys at hand. Raises UnusableLedgerError for one that can't be used."""
    keys = [key_from_file(file) for file in files or ()]
    own = key_from_environment()
    return keys_by_id(keys if own is None else [own, *keys])
