"""Support of customers."""

from collections.abc import Sequence

from fastapi import APIRouter, Depends

from hr_api.database import Session
from hr_api.guard import purposes
from hr_api.schemas import Enquirer, Recommendation
from hr_api.services import support

router = APIRouter(tags=["support"], dependencies=[Depends(purposes("support"))])


@router.get("/inquiries/{inquiry_id}")
async def inquiry(inquiry_id: int, session: Session) -> Sequence[Enquirer]:
    """Show an inquiry and who asks."""
    return await support.inquiry(session, inquiry_id)


@router.get(
    "/admins/{admin_id}/recommendations", dependencies=[Depends(purposes("personalization"))]
)
async def recommendations(admin_id: int, session: Session) -> Sequence[Recommendation]:
    """Show what an administrator may find useful."""
    return await support.recommendations(session, admin_id)
