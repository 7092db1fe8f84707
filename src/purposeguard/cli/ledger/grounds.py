"""`purposeguard ledger grounds`: the lawful exceptions that were stated, for review."""

import json
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from purposeguard.cli.ledger.forms.content import moment
from purposeguard.cli.ledger.options import Since, Until, failing_clearly
from purposeguard.cli.ledger.progress import with_progress
from purposeguard.cli.printing import to_terminal
from purposeguard.evidence.events import one_line
from purposeguard.queries.grounds import Stated, stated_grounds
from purposeguard.queries.relation import reading


class Format(StrEnum):
    """How the list is printed."""

    TABLE = "table"
    JSON = "json"


def grounds(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="The ledger's directory, or a Parquet file that `ledger export` made.",
            show_default=False,
        ),
    ],
    since: Since = None,
    until: Until = None,
    format_: Annotated[
        Format, typer.Option("--format", help="A table, or JSON: one object a line.")
    ] = Format.TABLE,
) -> None:
    """List the grounds that code has stated: when, why, by whom, and what they have permitted.

    With --since and --until: what was stated then.

    Exit status: 0 listed, 2 not listed.
    """
    with failing_clearly(), reading(source) as connection:
        found = with_progress(connection, "reading the ledger", lambda: stated_grounds(connection))
    within = [each for each in found if _within(each.begun, since, until)]
    if format_ is Format.JSON:
        for each in within:
            values = {key: value or None for key, value in asdict(each).items()}
            values["accesses"] = each.accesses
            typer.echo(json.dumps(values, default=_iso))
        return
    to_terminal(lambda into: _print(within, into))


def _within(begun: datetime, since: datetime | None, until: datetime | None) -> bool:
    at = begun.replace(tzinfo=UTC)
    return (since is None or at >= since) and (until is None or at < until)


def _iso(value: object) -> str:
    return f"{value.isoformat()}Z" if isinstance(value, datetime) else str(value)


def _print(found: list[Stated], into: Console) -> None:
    if not found:
        into.print("no ground was stated")
        return
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in ("begun", "ended", "ground", "permitted", "reference", "justification", "place"):
        table.add_column(head, justify="right" if head == "permitted" else "left", overflow="fold")
    for each in found:
        ended = moment(each.ended) if each.ended else f"open, until {moment(each.expires)}"
        ground = f"{each.ground}, {each.condition}" if each.condition else each.ground
        place = f"{each.function}, {Path(each.file).name}:{each.line}"
        row = (moment(each.begun), ended, ground, f"{each.accesses:,}")
        more = (each.reference, each.justification, place)
        table.add_row(*(Text(one_line(value)) for value in (*row, *more)))
    into.print(table)
