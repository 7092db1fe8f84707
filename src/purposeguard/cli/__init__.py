"""The command `purposeguard`."""

from purposeguard.cli.entry import main

__all__ = ["main"]
