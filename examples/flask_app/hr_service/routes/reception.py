"""Reception."""

from flask import Blueprint

from hr_service.database import Row
from hr_service.guard import purposes
from hr_service.services import reception

blueprint = Blueprint("reception", __name__)
purposes.default(blueprint, "security")


@blueprint.get("/visitors")
def expected_visitors() -> list[Row]:
    """Show who is expected."""
    return reception.expected_visitors()
