"""Opening the store of subjects that a command is given."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from purposeguard.cli.files import fail
from purposeguard.exceptions import SubjectStoreError

if TYPE_CHECKING:
    from purposeguard.subjects.sql import SqlSubjects

KEY_VARIABLE = "PURPOSEGUARD_SUBJECT_KEY"

Url = Annotated[
    str,
    typer.Argument(
        metavar="URL",
        help="The store: `sqlite:///people.db` or `postgresql://user@host/database`.",
        show_default=False,
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file",
        metavar="FILE",
        help=f"A file with the subject key; left out, `{KEY_VARIABLE}` holds it.",
        show_default=False,
    ),
]


def subject_key(file: Path | None) -> bytes:
    """Return the key that hashes people, or end the command."""
    if file is not None:
        try:
            return file.read_bytes().removesuffix(b"\n")
        except OSError as error:
            fail([f"{file}: the subject key can't be read ({error.strerror}): correct its path"])
    text = os.environ.get(KEY_VARIABLE)
    if text is None:
        fail([f"the subject key is not given: set `{KEY_VARIABLE}`, or name a --key-file"])
    return os.fsencode(text)


@contextmanager
def failing_clearly() -> Iterator[None]:
    """End the command with one line where the store can't be used."""
    try:
        yield
    except (SubjectStoreError, ImportError) as error:
        fail([error])


def _exists(url: str) -> None:
    """End the command where an SQLite file isn't there: nothing on record is no answer then."""
    from purposeguard.subjects.sql.engines import in_memory, parse_url  # noqa: PLC0415 - as above

    address = parse_url(url)
    if address.get_backend_name() != "sqlite" or "uri" in address.query:
        return
    if in_memory(address) or not os.path.exists(address.database or ""):  # noqa: PTH110 - a text
        raise SubjectStoreError(
            "the store's SQLite file doesn't exist: correct its path, which is relative to this "
            "folder after `sqlite:///`, or make the store with `purposeguard subject migrate`"
        )


@contextmanager
def opened(url: str, key_file: Path | None) -> "Iterator[SqlSubjects]":
    """Open a store for a block. Every failure ends the command with one line."""
    key = subject_key(key_file)
    with failing_clearly():
        from purposeguard.subjects.sql import SqlSubjects  # noqa: PLC0415 - of an extra

        _exists(url)
        with SqlSubjects(url, key=key, timeout=30) as store:
            yield store
