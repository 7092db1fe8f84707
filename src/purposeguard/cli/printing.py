"""Printing to a terminal or a pipe: the same text in both, colour only where it is wanted."""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import IO

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from purposeguard.evidence.events import one_line

PIPE_WIDTH = 160
"""Width of tables where there is no terminal; the variable COLUMNS sets another one."""

MOST_ROWS = 40
"""How many rows of a table a report shows in a terminal."""

_LONGEST = 200
"""How many characters of one value are shown."""


def console(file: IO[str] | None = None) -> Console:
    """Return a console that takes text as it is: no markup, no emoji codes, no highlighting."""
    made = Console(
        file=file,
        color_system=None if os.environ.get("NO_COLOR") else "auto",
        markup=False,
        emoji=False,
        highlight=False,
    )
    if not made.is_terminal and not os.environ.get("COLUMNS"):
        made.width = PIPE_WIDTH
    return made


def say(text: str, style: str = "") -> None:
    """Print one line to standard output, however long it is."""
    console().print(Text(text, style), soft_wrap=True)


def facts(pairs: Iterable[tuple[str, str]]) -> Table:
    """Return labels and what they stand for, one pair a line."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True, style="dim")
    table.add_column(overflow="fold")
    for label, value in pairs:
        table.add_row(Text(label), Text(value))
    return table


def on_one_line(value: str) -> str:
    """Return what comes from a ledger so that it disturbs no terminal: short, escaped, one line."""
    return one_line(value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…")


def more(rows: Sized) -> Iterator[Text]:
    """Return the line that says how many of the rows are not shown, if any."""
    count = len(rows) - MOST_ROWS
    if count > 0:
        yield Text(f"and {count:,} more: --format html and json show all", "dim")


def printed(into: Console, render: Callable[[Console], None]) -> str:
    """Return what is printed, without the blanks that tables leave at the end of lines."""
    with into.capture() as captured:
        render(into)
    return re.sub(" +(?=\n)", "", captured.get())


def to_terminal(render: Callable[[Console], None]) -> None:
    """Print to standard output."""
    typer.echo(printed(console(), render), nl=False, color=True)
