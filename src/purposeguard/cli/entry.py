"""Where the command starts: it runs, or says what it lacks."""

import importlib.util
import io
import sys

_PACKAGES = ("typer", "rich", "jinja2")
"""What the extra `cli` installs."""


def main() -> None:
    """Run the command line. Without the extra `cli`, name the pip line and exit with status 2."""
    missing = [package for package in _PACKAGES if not _is_installed(package)]
    if missing:
        print(  # noqa: T201 - nothing nicer is there to print with
            f"Error: the command needs {', '.join(missing)}, which the extra `cli` brings: "
            "pip install 'purposeguard[cli]'",
            file=sys.stderr,
        )
        sys.exit(2)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A name that the terminal can't show is no reason to stop.
            stream.reconfigure(errors="backslashreplace")

    from purposeguard.cli.app import app  # noqa: PLC0415 - it imports Typer

    app(prog_name="purposeguard")


def _is_installed(package: str) -> bool:
    try:
        return importlib.util.find_spec(package) is not None
    except ImportError:
        return False
