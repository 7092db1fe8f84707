"""Printing to a terminal or a pipe: the same text in both, colour only where it is wanted."""

import os
from typing import IO

from rich.console import Console
from rich.text import Text

PIPE_WIDTH = 160
"""Width of tables where there is no terminal; the variable COLUMNS sets another one."""


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
