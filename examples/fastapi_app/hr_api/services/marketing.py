"""Marketing."""

from collections.abc import Sequence

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.guard import guard
from hr_api.outbox import send
from hr_api.repositories import customer_admins


@guard.purpose("marketing.information")
async def newsletter(session: AsyncSession) -> int:
    """Send the newsletter to the administrators of customers, and return how many that were."""
    found = await customer_admins.addresses(session)
    for admin in found:
        await send(session, admin.contact, f"Dear {admin.name}, here is our news.")
    return len(found)


@guard.purpose("advertising.delivery")
async def audience(session: AsyncSession, customer_id: int) -> Sequence[Row]:
    """Return the audience that distributors show advertisements to: that customer has to agree."""
    return await customer_admins.audience(session, customer_id)
