"""Participants of events."""

from collections.abc import Sequence

from sqlalchemy import Row, Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.guard import guard
from hr_api.models import EventParticipant

ITEMS = ("name", "affiliation", "contact", "usage_log")
CO_HOST = ("name", "affiliation", "contact")
"""What a co-host is given."""


async def numbers(session: AsyncSession, event_id: int) -> Sequence[int]:
    """Return the numbers of those who take part."""
    query = select(EventParticipant.id).where(EventParticipant.event_id == event_id)
    return (await session.scalars(query)).all()


async def of_event(session: AsyncSession, event_id: int) -> Sequence[Row]:
    """Return who takes part: just the columns that the purposes in force may see."""
    # Where they may see none, all are asked for: the access is denied, and says why.
    columns = guard.granted_items("event_participant") or ITEMS
    query = _columns(columns).where(EventParticipant.event_id == event_id)
    async with guard.access("event_participant", items=columns):
        return (await session.execute(query)).all()


async def for_co_host(session: AsyncSession, people: Sequence[int]) -> Sequence[Row]:
    """Return what a co-host gets to know about these people."""
    if not people:
        return []
    query = _columns(CO_HOST).where(EventParticipant.id.in_(people))
    async with guard.access(
        "event_participant", items=CO_HOST, recipient="co_host", subject=people
    ):
        return (await session.execute(query)).all()


@guard.access("event_participant", items=CO_HOST, recipient="co_host")
async def for_co_host_unnamed(session: AsyncSession, event_id: int) -> Sequence[Row]:
    """Do the same without saying whom it is about."""
    query = _columns(CO_HOST).where(EventParticipant.event_id == event_id)
    return (await session.execute(query)).all()


def _columns(names: Sequence[str]) -> Select:
    """Select columns, which are named as the policy names its items."""
    return select(EventParticipant.id, *(getattr(EventParticipant, name) for name in names))
