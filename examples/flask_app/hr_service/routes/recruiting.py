"""Recruiting."""

from flask import Blueprint, Response, stream_with_context

from hr_service.database import Row
from hr_service.guard import purposes
from hr_service.services import recruiting

blueprint = Blueprint("recruiting", __name__)
purposes.default(blueprint, "recruitment")


@blueprint.get("/jobs/<int:job_id>/shortlist")
def shortlist(job_id: int) -> list[Row]:
    """Show the applicants with the longest experience."""
    return recruiting.shortlist(job_id)


@blueprint.get("/jobs/<int:job_id>/applicants.csv")
def applicants(job_id: int) -> Response:
    """Send all applicants as a file, row by row."""
    lines = recruiting.applicants_as_csv(job_id)
    return Response(stream_with_context(lines), mimetype="text/csv")


@blueprint.post("/jobs/<int:job_id>/second-opinion")
def second_opinion(job_id: int) -> list[Row]:
    """Show the applicants to a group company."""
    return recruiting.second_opinion(job_id)


@blueprint.post("/candidates/<int:candidate_id>/invitation")
def invite(candidate_id: int) -> Row:
    """Invite a candidate to an interview."""
    return recruiting.invite(candidate_id)


@blueprint.post("/candidates/openings")
def tell_of_openings() -> Row:
    """Tell candidates of the jobs that are open."""
    return recruiting.tell_of_openings()


@blueprint.get("/candidates/experience")
def experience() -> list[Row]:
    """Show statistics about candidates."""
    return recruiting.experience()
