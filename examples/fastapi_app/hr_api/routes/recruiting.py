"""Recruiting."""

from typing import Any

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import StreamingResponse

from hr_api.database import Served, Session
from hr_api.guard import guard, purposes
from hr_api.repositories import candidates
from hr_api.schemas import Applicant, Experience, Mailing, Profile
from hr_api.services import recruiting

router = APIRouter(tags=["recruiting"], dependencies=[Depends(purposes("recruitment"))])


@router.get("/jobs/{job_id}/shortlist", response_model=list[Applicant])
async def shortlist(job_id: int, session: Session) -> Any:
    """Show the applicants with the longest experience."""
    return await recruiting.shortlist(session, job_id)


@router.get("/jobs/{job_id}/applicants.csv", response_class=StreamingResponse)
async def applicants(job_id: int, session: Session) -> StreamingResponse:
    """Send all applicants as a file, row by row."""
    lines = recruiting.applicants_as_csv(session, job_id)
    return StreamingResponse(lines, media_type="text/csv")


@router.post("/jobs/{job_id}/second-opinion", response_model=list[Applicant])
async def second_opinion(job_id: int, session: Session) -> Any:
    """Show the applicants to a group company."""
    return await recruiting.second_opinion(session, job_id)


@router.post("/candidates/{candidate_id}/invitation")
async def invite(candidate_id: int, session: Session) -> Mailing:
    """Invite a candidate to an interview."""
    return Mailing(sent=await recruiting.invite(session, candidate_id))


@router.post("/candidates/openings")
async def tell_of_openings(session: Session) -> Mailing:
    """Tell candidates of the jobs that are open."""
    return Mailing(sent=await recruiting.tell_of_openings(session))


@router.get("/candidates/experience", dependencies=[Depends(purposes("recruitment.statistics"))])
async def experience(database: Served) -> list[Experience]:
    """Show statistics about candidates, which a thread works out."""
    return await database.in_thread(recruiting.experience)


@router.get("/candidates/{candidate_id}", response_model=Profile)
@guard.purpose("recruitment.selection", subject="candidate_id")
async def profile(candidate_id: int, session: Session) -> Any:
    """Show a candidate."""
    found = await candidates.profile(session, candidate_id)
    if found is None:
        raise HTTPException(404)
    return found
