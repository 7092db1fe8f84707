"""Recruiting."""

from flask import Blueprint

from hr_service.database import Row
from hr_service.guard import guard
from hr_service.services import recruiting

blueprint = Blueprint("recruiting", __name__)


@blueprint.get("/jobs/<int:job_id>/shortlist")
@guard.purpose("recruitment", root=True)
def shortlist(job_id: int) -> list[Row]:
    """Show the applicants with the longest experience."""
    return recruiting.shortlist(job_id)


@blueprint.post("/jobs/<int:job_id>/second-opinion")
@guard.purpose("recruitment", root=True)
def second_opinion(job_id: int) -> list[Row]:
    """Show the applicants to a group company."""
    return recruiting.second_opinion(job_id)


@blueprint.post("/candidates/<int:candidate_id>/invitation")
@guard.purpose("recruitment", root=True)
def invite(candidate_id: int) -> Row:
    """Invite a candidate to an interview."""
    return recruiting.invite(candidate_id)


@blueprint.post("/candidates/openings")
@guard.purpose("recruitment", root=True)
def tell_of_openings() -> Row:
    """Tell candidates of the jobs that are open."""
    return recruiting.tell_of_openings()


@blueprint.get("/candidates/experience")
@guard.purpose("recruitment", root=True)
def experience() -> list[Row]:
    """Show statistics about candidates."""
    return recruiting.experience()
