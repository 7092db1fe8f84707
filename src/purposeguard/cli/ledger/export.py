"""`purposeguard ledger export`: a Parquet file of a ledger, for tools that read those."""

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from purposeguard.cli.files import cannot_write, fail
from purposeguard.cli.ledger.options import Directory, Since, Until, failing_clearly, keep_apart
from purposeguard.cli.ledger.progress import with_progress
from purposeguard.cli.printing import say
from purposeguard.queries.relation import reading, write_parquet


def export(
    directory: Directory,
    parquet: Annotated[
        Path,
        typer.Option(metavar="FILE", help="The Parquet file to write.", show_default=False),
    ],
    since: Since = None,
    until: Until = None,
    force: Annotated[
        bool, typer.Option("--force", help="Overwrite the file where it is there already.")
    ] = False,
) -> None:
    """Export a ledger to a Parquet file: one row for each line, for reports and other tools.

    The file holds no chain: it can be read, not verified. Keep the ledger.

    Exit status: 0 written, 2 not written.
    """
    if since and until and since >= until:
        fail(["--since is not before --until: swap them"])
    keep_apart(parquet, directory)
    if not force and os.path.lexists(parquet):
        fail([f"{parquet} is there already: name another file, or add --force"])
    if directory.is_file():
        fail([f"{directory} is no directory: name a ledger's directory"])
    made = parquet.with_name(f".{parquet.name}.{os.getpid()}.part")
    try:
        # As private as the ledger. Nobody sees the file until it is whole.
        os.close(os.open(made, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with failing_clearly(), reading(directory, since=since, until=until) as connection:
            rows = with_progress(
                connection, "exporting the ledger", lambda: write_parquet(connection, made)
            )
        made.replace(parquet)
    except OSError as error:
        fail([cannot_write(parquet, error)])
    finally:
        with suppress(OSError):
            made.unlink()
    say(f"{parquet}: written, {rows:,} line{'' if rows == 1 else 's'}")
