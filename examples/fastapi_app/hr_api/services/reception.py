"""Reception."""

from collections.abc import Sequence

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.database import Database
from hr_api.guard import guard
from hr_api.outbox import send
from hr_api.repositories import visitors


@guard.purpose("security.office_access")
async def expected_visitors(session: AsyncSession) -> Sequence[Row]:
    """Return who is to be let in."""
    return await visitors.expected(session)


@guard.purpose("security.office_access")
async def announce(database: Database, visitor_id: int) -> None:
    """Tell the office that a visitor has come. It runs in the background."""
    async with database.sessions() as session:
        name = await visitors.name_of(session, visitor_id)
        if name is not None:
            await send(session, "office@hr.example", f"{name} is at the reception.")
