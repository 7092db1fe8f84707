"""`purposeguard subject report`: what a person is told who asks what is done with their data."""

import io
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from purposeguard.cli.files import Output, PolicyFile, fail, policy_or_fail, write
from purposeguard.cli.ledger.options import Since, Until, failing_clearly, keep_apart
from purposeguard.cli.ledger.progress import with_progress
from purposeguard.cli.printing import console, printed, to_terminal
from purposeguard.cli.subject.forms.content import Disclosure
from purposeguard.cli.subject.forms.json_form import as_json
from purposeguard.cli.subject.forms.page import as_page
from purposeguard.cli.subject.forms.terminal import print_disclosure
from purposeguard.cli.subject.handling import Category, Person
from purposeguard.cli.subject.opening import KeyFile, Url, opened
from purposeguard.exceptions import UnknownNameError
from purposeguard.queries.person import PersonAccess, Untold, person_accesses
from purposeguard.queries.relation import reading
from purposeguard.subjects.statement import Statement, statement_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


class Format(StrEnum):
    """Which form the report takes."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"


def _other(text: str) -> tuple[str, str]:
    category, _, subject = text.partition("=")
    if not (category and subject):
        # What was given may be an identifier: it is not repeated.
        fail(["--also names no category and identifier: write CATEGORY=SUBJECT"])
    return category, subject


def _keep(output: Path, url: str, key_file: Path | None) -> None:
    """End the command where it would write over the store or its key."""
    from purposeguard.subjects.sql.engines import parse_url  # noqa: PLC0415 - of an extra

    address = parse_url(url)
    store = address.database if address.get_backend_name() == "sqlite" else None
    beside = [("the store", f"{store}{end}") for end in ("-wal", "-shm", "-journal") if store]
    for what, path in (("the store", store), *beside, ("the subject key", key_file)):
        if path and output.exists() and Path(path).exists() and output.samefile(path):
            fail([f"{output} is {what}: write to another file"])


def report(
    file: PolicyFile,
    url: Url,
    category: Category,
    subject: Person,
    also: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CATEGORY=SUBJECT",
            help="The same person in another category; again for more.",
            show_default=False,
        ),
    ] = None,
    customer: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="Whose customer's data it is: their mandate and consent are looked up.",
            show_default=False,
        ),
    ] = None,
    ledger: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR",
            help="A ledger with accesses to the person's data: its directory, or a Parquet file "
            "that `ledger export` made; again for those of further hosts.",
            show_default=False,
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    format_: Annotated[
        Format, typer.Option("--format", help="Text in the terminal, JSON, or one page.")
    ] = Format.TEXT,
    output: Output = None,
    key_file: KeyFile = None,
) -> None:
    """Report what is on record about a person, what their data may be used for, and what was done.

    This is what a request for disclosure asks for. The person appears as a keyed hash, nobody else
    appears at all. Make sure that the request is theirs before it is handed over.

    Exit status: 0 reported, 2 not reported.
    """
    if since and until and since >= until:
        fail(["--since is not before --until: swap them"])
    sources = list(dict.fromkeys(ledger or ()))
    if output is not None:
        for each in sources:
            keep_apart(output, each)
    people = [(category, subject), *map(_other, also or ())]
    policy = policy_or_fail(file)
    with opened(url, key_file) as store:
        if output is not None:
            _keep(output, url, key_file)
        try:
            statement = statement_of(policy, store, people, customer=customer)
        except UnknownNameError as error:
            fail([error])
    accesses, untold = _recorded(sources, statement, since, until)
    disclosure = Disclosure(
        statement, tuple(accesses) if sources else None, tuple(untold), since, until
    )
    if format_ is Format.TEXT and output is None:
        to_terminal(lambda into: print_disclosure(disclosure, into))
        return
    forms = {Format.HTML: as_page, Format.JSON: as_json, Format.TEXT: _plain}
    write(forms[format_](disclosure), output, source=file)


def _recorded(
    sources: Iterable[Path], statement: Statement, since: datetime | None, until: datetime | None
) -> tuple[list[PersonAccess], list[Untold]]:
    """All accesses in the ledgers, oldest first, and what these can't tell."""
    people = [(part.category, part.person) for part in statement.parts]

    def read(connection: "DuckDBPyConnection") -> tuple[list[PersonAccess], list[Untold]]:
        return with_progress(
            connection,
            "reading the ledger",
            lambda: person_accesses(connection, people, statement.key_id),
        )

    accesses: list[PersonAccess] = []
    untold: dict[str, Untold] = {}
    for source in sources:
        with failing_clearly(), reading(source, since=since, until=until) as connection:
            found, segments = read(connection)
        if any(each.segment in untold for each in segments):
            fail([f"{source} holds what another ledger given holds too: name only one of them"])
        accesses += found
        untold |= {each.segment: each for each in segments}
    return sorted(accesses, key=attrgetter("time")), list(untold.values())


def _plain(disclosure: Disclosure) -> str:
    return printed(console(io.StringIO()), lambda into: print_disclosure(disclosure, into))
