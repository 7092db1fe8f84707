"""Events."""

from typing import Any

from fastapi import APIRouter, Depends

from hr_api.database import Session
from hr_api.guard import purposes
from hr_api.schemas import Participant
from hr_api.services import events

router = APIRouter(
    prefix="/events/{event_id}", tags=["events"], dependencies=[Depends(purposes("events"))]
)


@router.get("/participants", response_model=list[Participant], response_model_exclude_unset=True)
async def participants(event_id: int, session: Session) -> Any:
    """Show who takes part."""
    return await events.participants(session, event_id)


@router.get(
    "/interests",
    response_model=list[Participant],
    response_model_exclude_unset=True,
    dependencies=[Depends(purposes("analytics"))],
)
async def interests(event_id: int, session: Session) -> Any:
    """Show what participants did."""
    return await events.interests(session, event_id)


@router.post("/co-host", response_model=list[Participant], response_model_exclude_unset=True)
async def hand_to_co_host(event_id: int, session: Session) -> Any:
    """Hand the list of participants to the co-host."""
    return await events.hand_to_co_host(session, event_id)
