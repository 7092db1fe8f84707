"""What commands read and write, and how they fail: one line for each thing that is wrong."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from purposeguard.exceptions import PolicyError
from purposeguard.policy.matrix import Policy
from purposeguard.policy.names import nearest
from purposeguard.policy.problems import Problem
from purposeguard.policy_file import BUNDLED, MAX_BYTES, bundled_policy, load_policy, parse_policy

STDIN = "-"

FAILED = 2
"""Exit status of a command that could not do what it was asked; 1 is for the answer no."""

PolicyFile = Annotated[
    str,
    typer.Argument(
        metavar="FILE",
        help="Policy file, YAML or JSON; `smarthr` for the bundled policy, `-` for standard input.",
        show_default=False,
    ),
]

Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Write to this file.", show_default=False),
]


def read_policy(file: str) -> Policy:
    """Return the policy that a FILE argument stands for. Raises PolicyError.

    The name of a bundled policy always means that policy, so that what a command does never hangs
    on what lies in the current folder; `./smarthr` is a file.
    """
    if file in BUNDLED:
        return bundled_policy(file)
    if file == STDIN:
        return parse_policy(_read_stdin(), "<stdin>")
    close = nearest(file, BUNDLED)
    if close and not os.path.lexists(file):
        message = f"there is no such file: did you mean the bundled policy `{close}`?"
        raise PolicyError([Problem(message, file=file)])
    return load_policy(file)


def _read_stdin() -> bytes:
    content = sys.stdin.buffer.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        message = f"there are more than {MAX_BYTES} bytes: make the policy smaller"
        raise PolicyError([Problem(message, file="<stdin>")])
    return content


def policy_or_fail(file: str) -> Policy:
    """Return the policy, or end the command with all that is wrong with it."""
    try:
        return read_policy(file)
    except PolicyError as error:
        fail(error.problems)


def fail(problems: Iterable[object]) -> NoReturn:
    """End the command with status 2 and one line for each problem."""
    for problem in problems:
        typer.echo(f"Error: {problem}", err=True)
    raise typer.Exit(FAILED)


def write(text: str, output: Path | None, *, source: str | None = None) -> None:
    """Write a result as UTF-8, to standard output or a file that is not its `source`."""
    if output is None:
        typer.echo(text.encode(), nl=False)
        return
    try:
        if source is not None and output.exists() and _is_same(output, source):
            fail([f"{output} is the policy itself: write to another file"])
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        fail([cannot_write(output, error)])


def _is_same(output: Path, source: str) -> bool:
    return os.path.exists(source) and output.samefile(source)  # noqa: PTH110 - it may be `-`


def cannot_write(path: Path, error: OSError) -> str:
    """Return the line for a file that can't be written."""
    why = os.strerror(error.errno or 0).lower()
    return f"{path} can't be written ({why}): check the path and its permissions"
