"""`purposeguard ledger verify`: whether anybody has touched a ledger."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from purposeguard.cli.files import fail
from purposeguard.cli.ledger.keyring import KeyFiles, keyring
from purposeguard.cli.ledger.options import Directory
from purposeguard.cli.printing import say
from purposeguard.evidence.events import one_line
from purposeguard.evidence.ledger.checkpoints import Checkpoint, read_checkpoints
from purposeguard.evidence.ledger.keys import KEY_FILE_VARIABLE, KEY_VARIABLE
from purposeguard.evidence.ledger.reading import segments_in
from purposeguard.evidence.ledger.verify import Finding, Verdict
from purposeguard.evidence.ledger.verify import verify as verify_ledger
from purposeguard.exceptions import UnusableLedgerError


class Format(StrEnum):
    """How the verdict is printed."""

    TEXT = "text"
    JSON = "json"


def verify(
    directory: Directory,
    checkpoint: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Checkpoints kept elsewhere, one a line; again for further files.",
            show_default=False,
        ),
    ] = None,
    key_file: KeyFiles = None,
    allow_plain: Annotated[
        bool,
        typer.Option("--allow-plain", help="Accept segments without a key, where one is given."),
    ] = False,
    form: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TEXT,
) -> None:
    """Verify a ledger: that no line was changed, dropped, added or moved.

    Lines that were cut off at the end are found with a checkpoint only: keep those where the
    ledger's owner can't write. Without a key anybody who can write the ledger can forge it.

    Exit status: 0 intact, 1 not, 2 it could not be verified.
    """
    try:
        keys = keyring(key_file)
        checkpoints = list(_checkpoints(checkpoint or []))
        with _progress(directory) as progress:
            verdict = verify_ledger(directory, keys, checkpoints, progress, allow_plain=allow_plain)
    except UnusableLedgerError as error:
        fail([error])
    if not verdict.segments and not checkpoints:
        why = "nothing was recorded there yet, all were taken away, or it is another directory"
        fail([f"{directory} holds no segment of a ledger: {why}"])
    remarks = list(_remarks(verdict, len(checkpoints)))
    if form is Format.JSON:
        told = {"intact": verdict.intact, "checkpoints": len(checkpoints), **asdict(verdict)}
        typer.echo(json.dumps({**told, "remarks": remarks}, indent=2))
    else:
        _print(directory, verdict, len(checkpoints), remarks)
    raise typer.Exit(0 if verdict.intact else 1 if verdict.problems else 2)


def _remarks(verdict: Verdict, checkpoints: int) -> Iterator[str]:
    """Yield what the verdict can't show, and why."""
    if verdict.unverified:
        yield (
            f"give the missing keys: the one in use as `{KEY_VARIABLE}` or `{KEY_FILE_VARIABLE}`, "
            "former ones with --key-file"
        )
    if verdict.plain:
        yield (
            f"{_many(verdict.plain, 'segment')} without a key: whoever can write there can "
            "forge them, so this shows accidents, not intent"
        )
    if not checkpoints:
        yield "no checkpoint was given: lines cut off at an end can't be seen"


def _checkpoints(files: list[Path]) -> Iterator[Checkpoint]:
    for file in files:
        try:
            found = list(read_checkpoints(file.read_text("utf-8")))
        except UnusableLedgerError as error:
            fail([f"{file}: {error}"])
        except (OSError, UnicodeDecodeError):
            fail([f"{file}: the checkpoints can't be read: name a text file that is there"])
        if not found:
            fail([f"{file}: there is no checkpoint in it: give what `ledger checkpoint` printed"])
        yield from found


@contextmanager
def _progress(directory: Path) -> Iterator[Callable[[int], None] | None]:
    console = Console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    total = sum(map(_size, (path for _, path in segments_in(directory))))
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        task = progress.add_task("verifying", total=total)
        yield lambda read: progress.advance(task, read)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # gone meanwhile, or no file: verifying says so
        return 0


def _print(directory: Path, verdict: Verdict, checkpoints: int, remarks: list[str]) -> None:
    for finding in verdict.problems:
        _say("problem", finding, "bold red")
    for finding in verdict.unverified:
        _say("not verified", finding, "bold red")
    for finding in verdict.notes:
        _say("note", finding, "yellow")
    for remark in remarks:
        say(f"note: {remark}", "yellow")
    against = f", against {_many(checkpoints, 'checkpoint')}" if checkpoints else ""
    found = "intact" if verdict.intact else "NOT verified, for want of a key"
    if verdict.problems:
        found = f"NOT intact, {_many(len(verdict.problems), 'problem')}"
    say(
        f"{directory}: {found}{against}; {_many(verdict.segments, 'segment')}, "
        f"{_many(verdict.records, 'record')}, {verdict.lost:,} lost, {verdict.refused:,} refused",
        "bold green" if verdict.intact else "bold red",
    )


def _say(kind: str, finding: Finding, style: str) -> None:
    say(one_line(f"{kind}: {finding}"), style)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"
