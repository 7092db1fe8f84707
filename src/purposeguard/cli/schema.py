"""`purposeguard schema`: the JSON Schemas of policy files and ledgers, for editors and checkers."""

from importlib import resources
from typing import Annotated

import typer

from purposeguard.cli.files import Output, write
from purposeguard.policy.document import SCHEMA_FILE

LEDGER_SCHEMA_FILE = "ledger-line.schema.json"


def schema_text() -> str:
    """Return the published JSON Schema of policy files."""
    return (resources.files("purposeguard.policy") / SCHEMA_FILE).read_text(encoding="utf-8")


def ledger_schema_text() -> str:
    """Return the published JSON Schema of a ledger's lines."""
    file = resources.files("purposeguard.evidence.ledger") / LEDGER_SCHEMA_FILE
    return file.read_text(encoding="utf-8")


def schema(
    ledger: Annotated[
        bool, typer.Option("--ledger", help="That of one line of a ledger instead.")
    ] = False,
    output: Output = None,
) -> None:
    """Print the JSON Schema of policy files.

    Kept beside a policy as `purposeguard-policy.schema.json`, it gives editors completion and
    checks while typing. `purposeguard check` finds more: it also knows what the names refer to.
    """
    write(ledger_schema_text() if ledger else schema_text(), output)
