"""Visitors to the office."""

from collections.abc import Sequence

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.guard import guard
from hr_api.models import Visitor


@guard.access("visitor", items=["name", "affiliation"])
async def expected(session: AsyncSession) -> Sequence[Row]:
    """Return who is expected."""
    return (await session.execute(select(Visitor.id, Visitor.name, Visitor.affiliation))).all()


@guard.access("visitor", items=["name"], subject="visitor_id")
async def name_of(session: AsyncSession, visitor_id: int) -> str | None:
    """Return the name of one visitor, if there is such a one."""
    return await session.scalar(select(Visitor.name).where(Visitor.id == visitor_id))


@guard.access("visitor", items=["name", "affiliation"], recipient="group_company")
async def for_group_company(session: AsyncSession) -> Sequence[Row]:
    """Return what a group company would get to know about visitors."""
    return (await session.execute(select(Visitor.id, Visitor.name, Visitor.affiliation))).all()
