"""`purposeguard subject` and `purposeguard retention`: their subcommands put together."""

import typer

from purposeguard.cli.subject import due, handling, migrate, report

subject = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
retention = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@subject.callback()
def _subject() -> None:
    """Handle what people ask for, and look after the store of what is on record about them."""


@retention.callback()
def _retention() -> None:
    """Find what is kept for longer than the policy allows."""


for _command in (
    handling.request,
    handling.verify,
    handling.authorise,
    handling.accept,
    handling.refuse,
    handling.requests,
    report.report,
    migrate.migrate,
):
    subject.command()(_command)
retention.command()(due.due)
