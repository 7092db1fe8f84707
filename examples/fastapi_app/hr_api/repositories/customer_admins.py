"""Administrators of customers, and what they ask."""

from collections.abc import Sequence

from sqlalchemy import Row, select
from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.guard import guard
from hr_api.models import CustomerAdmin, Inquiry


async def inquiry(session: AsyncSession, inquiry_id: int) -> Inquiry | None:
    """Return an inquiry, if there is such a one: it says who asks by number only."""
    return await session.get(Inquiry, inquiry_id)


# `subject` and `customer` name parameters: records say whose data it was, as a keyed hash.
@guard.access(
    "customer_admin",
    items=["name", "affiliation", "contact"],
    subject="admin_id",
    customer="customer_id",
)
async def contact_card(session: AsyncSession, admin_id: int, customer_id: int) -> Sequence[Row]:
    """Return who an administrator is, and how to reach them."""
    query = select(CustomerAdmin.name, CustomerAdmin.affiliation, CustomerAdmin.contact)
    query = query.where(CustomerAdmin.id == admin_id, CustomerAdmin.customer_id == customer_id)
    return (await session.execute(query)).all()


@guard.access("customer_admin", items=["name", "contact"])
async def addresses(session: AsyncSession) -> Sequence[Row]:
    """Return name and address of every administrator."""
    query = select(CustomerAdmin.id, CustomerAdmin.name, CustomerAdmin.contact)
    return (await session.execute(query)).all()


@guard.access("customer_admin", items=["usage_log"], subject="admin_id")
async def usage_log(session: AsyncSession, admin_id: int) -> Sequence[Row]:
    """Return what an administrator did in the service."""
    query = select(CustomerAdmin.id, CustomerAdmin.usage_log).where(CustomerAdmin.id == admin_id)
    return (await session.execute(query)).all()


@guard.access(
    "customer_admin",
    items=["name", "contact"],
    recipient="ad_distributors",
    customer="customer_id",
)
async def audience(session: AsyncSession, customer_id: int) -> Sequence[Row]:
    """Return what advertisers get to know about a customer's administrators."""
    query = select(CustomerAdmin.name, CustomerAdmin.contact)
    query = query.where(CustomerAdmin.customer_id == customer_id)
    return (await session.execute(query)).all()
