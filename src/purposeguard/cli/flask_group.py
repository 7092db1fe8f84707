"""`flask purposeguard …`: the commands that are about a Flask app, within Flask's own command."""

import importlib.util
import sys

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
@with_appcontext
def routes(require: bool) -> None:
    """List what the app's routes declare, and find those that pass a guard by."""
    from purposeguard.cli import routes as listing  # noqa: PLC0415 - it imports Typer

    app = current_app._get_current_object()  # type: ignore[attr-defined]
    if not listing.show(listing.adapters_of(app, app.name), require=require):
        sys.exit(1)


@group.command()
@with_appcontext
def policy() -> None:
    """Say which policy is in force, and in which mode."""
    from purposeguard.integrations.flask import adapters  # noqa: PLC0415

    for adapter in adapters(current_app._get_current_object()):  # type: ignore[attr-defined]
        health = adapter.guard.health()
        if health.policy is None:
            click.echo("no policy is in force: every access is refused")
        else:
            digest = (health.policy_digest or "")[:12]
            click.echo(
                f"policy `{health.policy}` version {health.policy_version} (digest {digest}), "
                f"mode {health.mode}"
            )
