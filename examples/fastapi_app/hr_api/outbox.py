"""Sending mail, so to speak: messages go into a table."""

from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.models import Mail


async def send(session: AsyncSession, address: str, text: str) -> None:
    """Send a text to an address."""
    session.add(Mail(address=address, text=text))
    await session.commit()
