"""`purposeguard show`: the matrix of a policy, to read on paper, in a browser or in a terminal."""

import io
from enum import StrEnum
from typing import Annotated

import typer

from purposeguard.cli.files import Output, PolicyFile, policy_or_fail, write
from purposeguard.cli.printing import console, printed, to_terminal
from purposeguard.cli.sheet.content import Sheet, sheet_of
from purposeguard.cli.sheet.json_form import as_json
from purposeguard.cli.sheet.markdown import as_markdown
from purposeguard.cli.sheet.page import as_page
from purposeguard.cli.sheet.terminal import print_sheet


class Format(StrEnum):
    """Which form the sheet takes."""

    TABLE = "table"
    HTML = "html"
    MD = "md"
    JSON = "json"


def show(
    file: PolicyFile,
    format_: Annotated[
        Format, typer.Option("--format", help="Table in the terminal, one page, Markdown or JSON.")
    ] = Format.TABLE,
    output: Output = None,
) -> None:
    """Show which category of data may be used for which purpose.

    Exit status: 0 shown, 2 not shown (wrong usage, a policy that can't be used, a file that can't
    be written).
    """
    policy = policy_or_fail(file)
    if format_ is Format.JSON:
        write(as_json(policy), output, source=file)
        return
    sheet = sheet_of(policy)
    if format_ is Format.TABLE and output is None:
        to_terminal(lambda into: print_sheet(sheet, into))
        return
    forms = {Format.HTML: as_page, Format.MD: as_markdown, Format.TABLE: _plain}
    write(forms[format_](sheet), output, source=file)


def _plain(sheet: Sheet) -> str:
    return printed(console(io.StringIO()), lambda into: print_sheet(sheet, into))
