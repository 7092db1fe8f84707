"""Reports that the policy doesn't permit. Nothing here knows that."""

from flask import Blueprint

from hr_service.database import Row
from hr_service.guard import purposes
from hr_service.services import reports
from hr_service.tasks import mail_admins

blueprint = Blueprint("reports", __name__, url_prefix="/reports")


@blueprint.post("/newsletter-to-candidates")
@purposes("marketing")
def newsletter_to_candidates() -> Row:
    """Send the newsletter to candidates."""
    return reports.newsletter_to_candidates()


@blueprint.post("/borrowed-openings")
@purposes("marketing")
def borrowed_openings() -> Row:
    """Send it through recruiting's service."""
    return reports.borrowed_openings()


@blueprint.get("/inquiries/<int:inquiry_id>/activity")
@purposes("support")
def activity(inquiry_id: int) -> list[Row]:
    """Show the usage log of someone who asked something."""
    return reports.activity(inquiry_id)


@blueprint.get("/pay-trends")
@purposes("analytics")
def pay_trends() -> list[Row]:
    """Analyse what customers entrusted."""
    return reports.pay_trends()


@blueprint.post("/visitors-for-group")
@purposes("security")
def visitors_for_group() -> list[Row]:
    """Hand the visitors to a group company."""
    return reports.visitors_for_group()


@blueprint.post("/events/<int:event_id>/guests")
@purposes("events")
def all_guests(event_id: int) -> list[Row]:
    """Hand everybody who takes part to the co-host."""
    return reports.all_guests(event_id)


@blueprint.post("/events/<int:event_id>/nameless")
@purposes("events")
def nameless_guests(event_id: int) -> list[Row]:
    """Hand them over without saying who they are."""
    return reports.nameless_guests(event_id)


@blueprint.post("/reminder")
def reminder() -> tuple[Row, int]:
    """Have a worker send a reminder: this view forgot to say what for, and so hands on nothing."""
    return {"mailing": mail_admins.delay("have you seen our news?").id}, 202


@blueprint.get("/everybody")
def everybody() -> list[Row]:
    """Show everybody: this view forgot to say what for."""
    return reports.everybody()
