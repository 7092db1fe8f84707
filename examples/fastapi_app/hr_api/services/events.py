"""Events."""

import asyncio
from collections.abc import Sequence

from purposeguard import Access
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.guard import guard
from hr_api.repositories import event_participants


@guard.purpose("events.operation")
async def participants(session: AsyncSession, event_id: int) -> Sequence[Row]:
    """Return the list for the door."""
    return await event_participants.of_event(session, event_id)


@guard.purpose("analytics.customer_needs")
async def interests(session: AsyncSession, event_id: int) -> Sequence[Row]:
    """Return what participants did, to learn what customers need: the same rows, more columns."""
    return await event_participants.of_event(session, event_id)


@guard.purpose("events.operation")
async def hand_to_co_host(session: AsyncSession, event_id: int) -> Sequence[Row]:
    """Return the list that the event's co-host gets: of those who have agreed to that."""
    handing_over = Access(
        "event_participant",
        items=event_participants.CO_HOST,
        recipient="co_host",
    )
    people = await event_participants.numbers(session, event_id)
    # It asks the store of consents, which blocks. `to_thread` takes the purposes along.
    agreed = await asyncio.to_thread(guard.permitted_subjects, handing_over, people)
    return await event_participants.for_co_host(session, agreed)
