"""Marketing."""

from typing import Any

from fastapi import APIRouter, Depends

from hr_api.database import Session
from hr_api.guard import purposes
from hr_api.schemas import Contact, Mailing
from hr_api.services import marketing

router = APIRouter(tags=["marketing"], dependencies=[Depends(purposes("marketing"))])


@router.post("/newsletter")
async def newsletter(session: Session) -> Mailing:
    """Send the newsletter."""
    return Mailing(sent=await marketing.newsletter(session))


@router.post(
    "/customers/{customer_id}/audience",
    response_model=list[Contact],
    dependencies=[Depends(purposes("advertising"))],
)
async def audience(customer_id: int, session: Session) -> Any:
    """Hand a customer's administrators to a distributor of advertisements."""
    return await marketing.audience(session, customer_id)
