"""`purposeguard init`: a starter policy to write one's own from."""

import os
from importlib import resources
from pathlib import Path
from typing import Annotated

import typer

from purposeguard.cli.files import cannot_write, fail
from purposeguard.cli.printing import say
from purposeguard.cli.schema import schema_text
from purposeguard.policy.document import SCHEMA_FILE

_Target = Annotated[Path, typer.Argument(metavar="[PATH]", help="The file to write.")]
_Schema = Annotated[
    bool, typer.Option("--schema", help="Write the JSON Schema beside it, for editors.")
]


def starter_text() -> str:
    """Return the starter policy."""
    template = resources.files("purposeguard.cli") / "templates" / "starter.yaml"
    return template.read_text(encoding="utf-8")


def init(path: _Target = Path("privacy-policy.yaml"), schema: _Schema = False) -> None:
    """Write a commented starter policy. Files that are there are never overwritten.

    Exit status: 0 written, 2 not written.
    """
    beside = path.parent / SCHEMA_FILE
    new_schema = schema and not _holds(beside, schema_text())
    for each in (path, beside) if new_schema else (path,):
        if os.path.lexists(each):
            fail([f"{each} is there already and is not overwritten: name another file"])
    _write_new(path, starter_text())
    say(f"{path}: written")
    if new_schema:
        _write_new(beside, schema_text())
        say(f"{beside}: written")
    elif not schema:
        say(f"for completion in editors: purposeguard schema -o {beside}")
    say(f"next: purposeguard check {path}")


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_text(encoding="utf-8") == text
    except (OSError, ValueError):
        return False


def _write_new(path: Path, text: str) -> None:
    try:
        # A policy that others may write to is refused, so the mode must not hang on the umask.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        fail([f"{path} is there already and is not overwritten: name another file"])
    except OSError as error:
        fail([cannot_write(path, error)])
