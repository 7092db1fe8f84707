"""`purposeguard ledger checkpoint`: where the chains stand now, to be kept elsewhere."""

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated

import typer

from purposeguard.cli.files import cannot_write, fail
from purposeguard.cli.ledger.keyring import KeyFiles, keyring
from purposeguard.cli.ledger.options import Directory, keep_apart
from purposeguard.evidence.ledger.keys import ChainKey
from purposeguard.evidence.ledger.reading import lines_of, opening, segments_in
from purposeguard.evidence.ledger.verify import Head, heads, signed
from purposeguard.evidence.ledger.verify import verify as verify_ledger
from purposeguard.exceptions import UnusableLedgerError


def checkpoint(
    directory: Directory,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="FILE", help="Add it to that file.", show_default=False
        ),
    ] = None,
    key_file: KeyFiles = None,
    no_verify: Annotated[
        bool,
        typer.Option("--no-verify", help="Quickly: believe the ledger that it is intact."),
    ] = False,
) -> None:
    """Print a checkpoint of each process's chain: one line of JSON, signed with the chain's key.

    The ledger is verified first. Keep what this prints where the ledger's owner can't write, and
    give it to `ledger verify --checkpoint`.

    Exit status: 0 done, 1 the ledger is not intact, 2 it could not be read.
    """
    if output is not None:
        keep_apart(output, directory)
    try:
        keys = keyring(key_file)
        _look_for_keys(directory, keys)
        found = heads(directory, keys) if no_verify else _verified(directory, keys)
        lines = signed(found, keys, time.time_ns())
    except UnusableLedgerError as error:
        fail([error])
    except OSError as error:
        fail([f"{directory} can't be read ({error.strerror}): see to its files' permissions"])
    if not lines:
        fail([f"{directory} holds no ledger: name a ledger's directory"])
    text = "".join(f"{line.text()}\n" for line in lines)
    if output is None:
        typer.echo(text, nl=False)
        return
    try:
        with output.open("a", encoding="ascii") as file:
            file.write(text)
    except OSError as error:
        fail([cannot_write(output, error)])
    added = "1 checkpoint" if len(lines) == 1 else f"{len(lines)} checkpoints"
    typer.echo(f"{output}: {added} added", err=True)


def _look_for_keys(directory: Path, keys: Mapping[str | None, ChainKey]) -> None:
    """Raise UnusableLedgerError for a key that was used and is not at hand: it has to sign."""
    for name, path in segments_in(directory):
        if not path.is_file():  # verifying tells it
            continue
        with path.open("rb") as file:
            first = next(lines_of(file), None)
        opened = opening(first, name) if first is not None else None
        if opened is not None and opened.get("key") not in keys:
            raise UnusableLedgerError(
                f"{directory} was written with key `{opened.get('key')}`: give that key as well"
            )


def _verified(directory: Path, keys: Mapping[str | None, ChainKey]) -> Iterable[Head]:
    """Return where each chain stands, by the lines that were verified."""
    verdict = verify_ledger(directory, keys, allow_plain=True)
    if verdict.intact:
        return verdict.heads
    for problem in verdict.problems:
        typer.echo(f"problem: {problem}", err=True)
    typer.echo(
        "the ledger is not intact, and a checkpoint would say that this is how it should be: "
        "see `purposeguard ledger verify`",
        err=True,
    )
    raise typer.Exit(1)
