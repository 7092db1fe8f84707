"""Support of customers."""

from flask import Blueprint

from hr_service.database import Row
from hr_service.guard import purposes
from hr_service.services import support

blueprint = Blueprint("support", __name__)
purposes.default(blueprint, "support")


@blueprint.get("/inquiries/<int:inquiry_id>")
def inquiry(inquiry_id: int) -> list[Row]:
    """Show an inquiry and who asks."""
    return support.inquiry(inquiry_id)


@blueprint.get("/admins/<int:admin_id>/recommendations")
@purposes("personalization")
def recommendations(admin_id: int) -> list[Row]:
    """Show what an administrator may find useful."""
    return support.recommendations(admin_id)
