"""Marketing."""

from flask import Blueprint

from hr_service.database import Row
from hr_service.guard import guard
from hr_service.services import marketing

blueprint = Blueprint("marketing", __name__)


@blueprint.post("/newsletter")
@guard.purpose("marketing", root=True)
def newsletter() -> Row:
    """Send the newsletter."""
    return marketing.newsletter()


@blueprint.post("/customers/<int:customer_id>/audience")
@guard.purpose("advertising", root=True)
def audience(customer_id: int) -> list[Row]:
    """Hand a customer's administrators to a distributor of advertisements."""
    return marketing.audience(customer_id)
