"""`purposeguard ledger report`: what was touched for what, what was denied, what is missing."""

import io
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from purposeguard.cli.files import Output, fail, policy_or_fail, write
from purposeguard.cli.ledger.forms.content import Account, account_of
from purposeguard.cli.ledger.forms.json_form import as_json
from purposeguard.cli.ledger.forms.page import as_page
from purposeguard.cli.ledger.forms.terminal import print_account
from purposeguard.cli.ledger.options import Since, Until, failing_clearly, keep_apart
from purposeguard.cli.ledger.progress import with_progress
from purposeguard.cli.printing import console, printed, to_terminal
from purposeguard.queries.relation import reading
from purposeguard.queries.report import make_report


class Format(StrEnum):
    """Which form the report takes."""

    TABLE = "table"
    JSON = "json"
    HTML = "html"


def report(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="The ledger's directory, or a Parquet file that `ledger export` made.",
            show_default=False,
        ),
    ],
    policy: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Show beside it what this policy says; `smarthr` for the bundled one.",
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    format_: Annotated[
        Format, typer.Option("--format", help="Table in the terminal, JSON, or one page.")
    ] = Format.TABLE,
    output: Output = None,
) -> None:
    """Report which categories were touched for which purposes, and what was denied or lost.

    Nothing is proven here: `ledger verify` says whether the ledger is whole.

    Exit status: 0 reported, 2 not reported (wrong usage, a ledger that can't be read, a file that
    can't be written).
    """
    if since and until and since >= until:
        fail(["--since is not before --until: swap them"])
    if output is not None:
        keep_apart(output, source)
    judged_by = None if policy is None else policy_or_fail(policy)
    with failing_clearly(), reading(source, since=since, until=until) as connection:
        found = with_progress(
            connection,
            "reading the ledger",
            lambda: make_report(connection, at_once=source.is_dir()),
        )
    account = account_of(str(source), found, judged_by, since, until)
    if format_ is Format.TABLE and output is None:
        to_terminal(lambda into: print_account(account, into))
        return
    forms = {Format.HTML: as_page, Format.JSON: as_json, Format.TABLE: _plain}
    write(forms[format_](account), output)


def _plain(account: Account) -> str:
    return printed(console(io.StringIO()), lambda into: print_account(account, into))
