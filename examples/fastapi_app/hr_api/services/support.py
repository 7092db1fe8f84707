"""Support of customers."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from hr_api.guard import guard
from hr_api.repositories import customer_admins
from hr_api.schemas import Enquirer, Recommendation


@guard.purpose("support.inquiry_response")
async def inquiry(session: AsyncSession, inquiry_id: int) -> Sequence[Enquirer]:
    """Return an inquiry with the person to answer."""
    found = await customer_admins.inquiry(session, inquiry_id)
    if found is None:
        return []
    admins = await customer_admins.contact_card(session, found.admin_id, found.customer_id)
    return [
        Enquirer(
            topic=found.topic,
            name=admin.name,
            affiliation=admin.affiliation,
            contact=admin.contact,
        )
        for admin in admins
    ]


@guard.purpose("personalization.recommendation")
async def recommendations(session: AsyncSession, admin_id: int) -> Sequence[Recommendation]:
    """Return what an administrator may find useful, going by what they have not used."""
    return [
        Recommendation(recommended="surveys")
        for admin in await customer_admins.usage_log(session, admin_id)
        if "never opened surveys" in admin.usage_log
    ]
