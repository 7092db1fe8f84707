"""Reports that the policy doesn't permit. Nothing here knows that."""

from typing import Any

from fastapi import APIRouter, Depends, WebSocket

from hr_api.database import Served, Session
from hr_api.guard import purposes
from hr_api.payroll import Payroll
from hr_api.schemas import (
    Contact,
    Content,
    Mailing,
    Participant,
    PayRun,
    Profile,
    UsageLog,
    Visitor,
)
from hr_api.services import reports

router = APIRouter(prefix="/reports", tags=["reports"])
marketing = Depends(purposes("marketing"))
support = Depends(purposes("support"))
analytics = Depends(purposes("analytics"))
security = Depends(purposes("security"))
events = Depends(purposes("events"))


@router.post("/newsletter-to-candidates", dependencies=[marketing])
async def newsletter_to_candidates(session: Session) -> Mailing:
    """Send the newsletter to candidates."""
    return Mailing(sent=await reports.newsletter_to_candidates(session))


@router.post("/borrowed-openings", dependencies=[marketing])
async def borrowed_openings(session: Session) -> Mailing:
    """Send it through recruiting's service."""
    return Mailing(sent=await reports.borrowed_openings(session))


@router.get("/candidates", dependencies=[marketing], response_model=list[Profile])
async def candidates_by_sql(session: Session) -> Any:
    """Show the candidates that it might go to."""
    return await reports.candidates_by_sql(session)


@router.get("/admins/{admin_id}", dependencies=[support], response_model=UsageLog)
async def whole_admin(admin_id: int, session: Session) -> Any:
    """Show what is held about an administrator."""
    return await reports.whole_admin(session, admin_id)


@router.get(
    "/inquiries/{inquiry_id}/activity", dependencies=[support], response_model=list[UsageLog]
)
async def activity(inquiry_id: int, session: Session) -> Any:
    """Show the usage log of someone who asked something."""
    return await reports.activity(session, inquiry_id)


@router.get("/pay-trends", dependencies=[analytics], response_model=list[Content])
async def pay_trends(session: Session) -> Any:
    """Analyse what customers entrusted."""
    return await reports.pay_trends(session)


@router.get("/customers/{customer_id}/pay-run", dependencies=[analytics])
async def pay_run(customer_id: int, payroll: Payroll) -> PayRun:
    """Analyse what another service holds for a customer."""
    return await reports.pay_run(payroll, customer_id)


@router.post("/visitors-for-group", dependencies=[security], response_model=list[Visitor])
async def visitors_for_group(session: Session) -> Any:
    """Hand the visitors to a group company."""
    return await reports.visitors_for_group(session)


@router.websocket("/visitors/live", dependencies=[marketing])
async def live_visitors(socket: WebSocket, database: Served) -> None:
    """Show marketing who is expected."""
    await socket.accept()
    async for _ in socket.iter_text():
        async with database.sessions() as session:
            found = await reports.visitors_for_marketing(session)
        await socket.send_json([Visitor.model_validate(each).model_dump() for each in found])


@router.post("/events/{event_id}/guests", dependencies=[events], response_model=list[Participant])
async def all_guests(event_id: int, session: Session) -> Any:
    """Hand everybody who takes part to the co-host."""
    return await reports.all_guests(session, event_id)


@router.post("/events/{event_id}/nameless", dependencies=[events], response_model=list[Participant])
async def nameless_guests(event_id: int, session: Session) -> Any:
    """Hand them over without saying who they are."""
    return await reports.nameless_guests(session, event_id)


@router.get("/everybody", response_model=list[Contact])
async def everybody(session: Session) -> Any:
    """Show everybody: this route forgot to say what for."""
    return await reports.everybody(session)
