"""`purposeguard schema`: the JSON Schema of policy files, for editors and other checkers."""

from importlib import resources

from purposeguard.cli.files import Output, write
from purposeguard.policy.document import SCHEMA_FILE


def schema_text() -> str:
    """Return the published JSON Schema."""
    return (resources.files("purposeguard.policy") / SCHEMA_FILE).read_text(encoding="utf-8")


def schema(output: Output = None) -> None:
    """Print the JSON Schema of policy files.

    Kept beside a policy as `purposeguard-policy.schema.json`, it gives editors completion and
    checks while typing. `purposeguard check` finds more: it also knows what the names refer to.
    """
    write(schema_text(), output)
