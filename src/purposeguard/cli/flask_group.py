"""`flask purposeguard …`: the commands that are about a Flask app, within Flask's own command."""

import importlib.util
import sys
from typing import Any

import click
from flask import current_app
from flask.cli import with_appcontext


@click.group("purposeguard")
def group() -> None:
    """What the app declares to purposeguard."""
    if importlib.util.find_spec("rich") is None or importlib.util.find_spec("typer") is None:
        raise click.ClickException(
            "this needs the extra `cli`: pip install 'purposeguard[cli,flask]'"
        )


@group.command()
@click.option("--require", is_flag=True, help="Fail where a route declares no purpose.")
@click.option(
    "--except",
    "exempt",
    metavar="PATTERN",
    multiple=True,
    help="A route that needs none, such as 'GET /health'.",
)
@with_appcontext
def routes(require: bool, exempt: tuple[str, ...]) -> None:
    """List what the app's routes declare, and find those that pass a guard by."""
    from purposeguard.cli.routes import show  # noqa: PLC0415 - it imports Typer

    if not show(_adapters(), require=require, exempt=exempt):
        sys.exit(1)


@group.command()
@with_appcontext
def policy() -> None:
    """Say which policy is in force, and in which mode."""
    for adapter in _adapters():
        health = adapter.guard.health()
        if health.policy is None:
            click.echo("no policy is in force: every access is refused")
        else:
            digest = (health.policy_digest or "")[:12]
            click.echo(
                f"policy `{health.policy}` version {health.policy_version} (digest {digest}), "
                f"mode {health.mode}"
            )


def _adapters() -> list[Any]:
    """Return the adapters in the app. Ends the command where there are none."""
    import typer  # noqa: PLC0415 - the extra `cli` brings it

    from purposeguard.cli.routes import adapters_of  # noqa: PLC0415 - it imports Typer

    try:
        return list(adapters_of(current_app._get_current_object(), current_app.name))  # type: ignore[attr-defined]
    except typer.Exit as ended:  # newer Typers end with an exception that Click doesn't know
        sys.exit(ended.exit_code)
