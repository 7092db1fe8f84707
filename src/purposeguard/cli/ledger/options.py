"""What the ledger's commands take alike."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from purposeguard.cli.files import fail
from purposeguard.queries.segments import UnreadableLedgerError

Directory = Annotated[
    Path, typer.Argument(metavar="DIR", help="The ledger's directory.", show_default=False)
]


def _time(text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"`{text}` is no time: write it like 2026-11-25 or 2026-11-25T09:00+09:00"
        ) from None
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError:
        raise typer.BadParameter(f"`{text}` is out of range: name a time within it") from None


Since = Annotated[
    datetime | None,
    typer.Option(
        metavar="TIME",
        parser=_time,
        help="Only what was recorded then or later; ISO, UTC where it names no zone.",
        show_default=False,
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(
        metavar="TIME", parser=_time, help="Only what was recorded before.", show_default=False
    ),
]


def keep_apart(output: Path, source: Path) -> None:
    """End the command where it would write over what it reads, or among a ledger's segments."""
    written, read = (Path(os.path.realpath(path)) for path in (output, source))
    if written == read or (written.parent == read and read.is_dir()):
        fail([f"{output} would be written into what is read: write to another directory"])


@contextmanager
def failing_clearly() -> Iterator[None]:
    """End the command with one line where the ledger can't be read."""
    try:
        yield
    except UnreadableLedgerError as error:
        fail([error])
