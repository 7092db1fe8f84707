"""What people may ask about their own data."""

from flask import Blueprint

from hr_service.database import Row
from hr_service.guard import purposes
from hr_service.services import rights

blueprint = Blueprint("rights", __name__)
purposes.default(blueprint, "privacy")


@blueprint.post("/candidates/<int:candidate_id>/suspension")
def ask_for_suspension(candidate_id: int) -> Row:
    """Take a candidate's request that their data be used no more."""
    return rights.receive(candidate_id, "suspension_of_use")


@blueprint.post("/requests/<int:request_id>/verification")
def verify(request_id: int) -> Row:
    """Note that it was verified whom a request comes from."""
    return rights.verify(request_id)


@blueprint.post("/requests/<int:request_id>/acceptance")
def accept(request_id: int) -> Row:
    """Accept a request."""
    return rights.accept(request_id)


@blueprint.get("/requests/<int:request_id>/report")
def report(request_id: int) -> list[Row]:
    """Show what the person who has made a request is to be told."""
    return rights.report(request_id)
