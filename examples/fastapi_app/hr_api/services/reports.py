"""What somebody might ask for one day, and the policy doesn't permit.

Nothing here checks anything: the functions that load the data do, whoever calls them, and where no
such function is asked, the statements do.
"""

from collections.abc import Sequence

import httpx
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.guard import guard
from hr_api.models import CustomerAdmin, Entrusted
from hr_api.outbox import send
from hr_api.repositories import (
    candidates,
    customer_admins,
    entrusted,
    event_participants,
    visitors,
)
from hr_api.schemas import PayRun
from hr_api.services import recruiting


@guard.purpose("marketing.information")
async def newsletter_to_candidates(session: AsyncSession) -> int:
    """Send the newsletter to people who only applied for a job."""
    found = await candidates.addresses(session)
    for candidate in found:
        await send(session, candidate.contact, f"Dear {candidate.name}, here is our news.")
    return len(found)


@guard.purpose("marketing.information")
async def borrowed_openings(session: AsyncSession) -> int:
    """Do the same by calling recruiting: its purpose is added to ours, and both must permit."""
    return await recruiting.tell_of_openings(session)


@guard.purpose("marketing.information")
async def candidates_by_sql(session: AsyncSession) -> Sequence[Row]:
    """Do the same past every function of ours."""
    return (await session.execute(text("SELECT * FROM candidates"))).all()


@guard.purpose("support.inquiry_response")
async def whole_admin(session: AsyncSession, admin_id: int) -> CustomerAdmin | None:
    """Return all of an administrator's row, where support may see three columns of it."""
    return await session.get(CustomerAdmin, admin_id)


@guard.purpose("support.inquiry_response")
async def activity(session: AsyncSession, inquiry_id: int) -> Sequence[Row]:
    """Return what an administrator who asked something did in the service."""
    inquiry = await customer_admins.inquiry(session, inquiry_id)
    return [] if inquiry is None else await customer_admins.usage_log(session, inquiry.admin_id)


@guard.purpose("analytics.service_improvement")
async def pay_trends(session: AsyncSession) -> Sequence[Entrusted]:
    """Return what customers' employees earn, for the company's own analysis."""
    return await entrusted.contents(session)


@guard.purpose("analytics.service_improvement")
async def pay_run(payroll: httpx.AsyncClient, customer_id: int) -> PayRun:
    """Ask payroll for the same: our purpose goes along, and payroll's own can't widen it."""
    answer = await payroll.get(f"/customers/{customer_id}/pay-run")
    return PayRun(**answer.raise_for_status().json())


@guard.purpose("security.office_access")
async def visitors_for_group(session: AsyncSession) -> Sequence[Row]:
    """Return the visitors, for a group company."""
    return await visitors.for_group_company(session)


@guard.purpose("marketing.information")
async def visitors_for_marketing(session: AsyncSession) -> Sequence[Row]:
    """Return the visitors, to be written to."""
    return await visitors.expected(session)


@guard.purpose("events.operation")
async def all_guests(session: AsyncSession, event_id: int) -> Sequence[Row]:
    """Return all who take part, for the co-host: also those who haven't agreed."""
    people = await event_participants.numbers(session, event_id)
    return await event_participants.for_co_host(session, people)


@guard.purpose("events.operation")
async def nameless_guests(session: AsyncSession, event_id: int) -> Sequence[Row]:
    """Return them without saying who they are, so that nobody can be looked up."""
    return await event_participants.for_co_host_unnamed(session, event_id)


async def everybody(session: AsyncSession) -> Sequence[Row]:
    """Return customers' administrators, without saying what for."""
    return await customer_admins.addresses(session)
