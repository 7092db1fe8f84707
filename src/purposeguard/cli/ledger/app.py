"""`purposeguard ledger`: its subcommands put together."""

import typer

from purposeguard.cli.ledger import checkpoint, export, grounds, report, tail, verify

ledger = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@ledger.callback()
def _ledger() -> None:
    """Read the ledger: the record of every access.

    A ledger's DIR may be read while services write into it. Times are UTC.
    """


for _command in (
    report.report,
    tail.tail,
    verify.verify,
    checkpoint.checkpoint,
    export.export,
    grounds.grounds,
):
    ledger.command()(_command)
