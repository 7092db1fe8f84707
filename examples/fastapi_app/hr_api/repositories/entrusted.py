"""What customers entrust about their employees."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.guard import guard
from hr_api.models import Entrusted


@guard.access("entrusted")
async def contents(session: AsyncSession) -> Sequence[Entrusted]:
    """Return everything that was entrusted."""
    return (await session.scalars(select(Entrusted))).all()


@guard.access("entrusted", customer="customer_id")
async def of_customer(session: AsyncSession, customer_id: int) -> Sequence[Entrusted]:
    """Return what one customer has entrusted."""
    query = select(Entrusted).where(Entrusted.customer_id == customer_id)
    return (await session.scalars(query)).all()
