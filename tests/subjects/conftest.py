"""Fixtures: a database of the test's own, SQLite and PostgreSQL in turn, and a store in it."""

import pytest
from subject_kit import place_in, statements


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, tmp_path):
    """An empty database. Whatever a test does, nothing on record is ever changed or removed."""
    with place_in(request.param, tmp_path) as found, statements() as seen:
        yield found
    for each in seen:
        words = each.upper().split()
        assert "PURPOSEGUARD_SUBJECT_EVENTS" not in words or words[0] not in ("UPDATE", "DELETE")


@pytest.fixture
def store(place):
    """An open store."""
    with place.open() as opened:
        yield opened
