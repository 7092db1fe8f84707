"""What people may ask about their own data. The store that knows of it blocks: no `async` here."""

from fastapi import APIRouter, Depends

from hr_api.database import BlockingSession
from hr_api.guard import purposes
from hr_api.schemas import Effects, Received, Report, Verified
from hr_api.services import rights
from hr_api.subjects import Known

router = APIRouter(tags=["rights"], dependencies=[Depends(purposes("privacy"))])


@router.post("/candidates/{candidate_id}/suspension")
def ask_for_suspension(candidate_id: int, session: BlockingSession, known: Known) -> Received:
    """Take a candidate's request that their data be used no more."""
    return Received(request=rights.receive(session, known, candidate_id, "suspension_of_use"))


@router.post("/requests/{request_id}/verification")
def verify(request_id: int, session: BlockingSession, known: Known) -> Verified:
    """Note that it was verified whom a request comes from."""
    return Verified(verified=rights.verify(session, known, request_id))


@router.post("/requests/{request_id}/acceptance")
def accept(request_id: int, session: BlockingSession, known: Known) -> Effects:
    """Accept a request."""
    return Effects(effects=rights.accept(session, known, request_id))


@router.get("/requests/{request_id}/report")
def report(request_id: int, session: BlockingSession, known: Known) -> list[Report]:
    """Show what the person who has made a request is to be told."""
    return rights.report(session, known, request_id)
