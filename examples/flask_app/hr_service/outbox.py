"""Sending mail, so to speak: messages go into a table."""

from hr_service.database import execute


def send(address: str, text: str) -> None:
    """Send a text to an address."""
    execute("INSERT INTO outbox (address, text) VALUES (?, ?)", address, text)
