"""Visitors to the office."""

from hr_service.database import Row, rows
from hr_service.guard import guard


@guard.access("visitor", items=["name", "affiliation"])
def expected() -> list[Row]:
    """Return who is expected."""
    return rows("SELECT id, name, affiliation FROM visitors")


@guard.access("visitor", items=["name", "affiliation"], recipient="group_company")
def for_group_company() -> list[Row]:
    """Return what a group company would get to know about visitors."""
    return rows("SELECT id, name, affiliation FROM visitors")
