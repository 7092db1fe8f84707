"""The command's parts put together."""

from importlib.metadata import version
from typing import Annotated

import typer

from purposeguard.cli import check, explain, init, routes, schema, show
from purposeguard.cli.ledger.app import ledger
from purposeguard.cli.subject.app import retention, subject

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Plain help and errors: the same text in a terminal, a pipe and a CI log.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"purposeguard {version('purposeguard')}")
        raise typer.Exit


@app.callback()
def _purposeguard(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Write, check and read privacy policies for purposeguard.

    Where a policy FILE is asked for, `smarthr` stands for the policy that ships with purposeguard,
    whatever the current folder holds (write `./smarthr` for a file of that name), and `-` for
    standard input.
    """


for _command in (init.init, check.check, show.show, explain.explain, routes.routes, schema.schema):
    app.command()(_command)
app.add_typer(ledger, name="ledger")
app.add_typer(subject, name="subject")
app.add_typer(retention, name="retention")
