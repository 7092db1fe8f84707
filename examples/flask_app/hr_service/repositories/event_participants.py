"""Participants of events."""

from hr_service.database import Row, rows
from hr_service.guard import guard

ITEMS = ("name", "affiliation", "contact", "usage_log")
CO_HOST = ("name", "affiliation", "contact")
"""What a co-host is given."""


def numbers(event_id: int) -> list[int]:
    """Return the numbers of those who take part."""
    return [
        row["id"] for row in rows("SELECT id FROM event_participants WHERE event_id = ?", event_id)
    ]


def of_event(event_id: int) -> list[Row]:
    """Return who takes part: just the columns that the purposes in force may see."""
    # Where they may see none, all are asked for: the access is denied, and says why.
    columns = guard.granted_items("event_participant") or ITEMS
    with guard.access("event_participant", items=columns):
        return _select(columns, event_id)


def for_co_host(people: list[int]) -> list[Row]:
    """Return what a co-host gets to know about these people."""
    if not people:
        return []
    with guard.access("event_participant", items=CO_HOST, recipient="co_host", subject=people):
        return _select_people(CO_HOST, people)


@guard.access("event_participant", items=CO_HOST, recipient="co_host")
def for_co_host_unnamed(event_id: int) -> list[Row]:
    """Do the same without saying whom it is about."""
    return _select(CO_HOST, event_id)


def _select(columns: tuple[str, ...], event_id: int) -> list[Row]:
    listed = ", ".join(columns)  # names of the policy, never input
    return rows(f"SELECT id, {listed} FROM event_participants WHERE event_id = ?", event_id)  # noqa: S608


def _select_people(columns: tuple[str, ...], people: list[int]) -> list[Row]:
    listed = ", ".join(columns)
    marks = ", ".join("?" * len(people))
    return rows(f"SELECT id, {listed} FROM event_participants WHERE id IN ({marks})", *people)  # noqa: S608
