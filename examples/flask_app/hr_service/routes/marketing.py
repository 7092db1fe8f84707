"""Marketing."""

from uuid import UUID

from flask import Blueprint, current_app

from hr_service.database import Row
from hr_service.guard import purposes
from hr_service.services import marketing
from hr_service.tasks import mail_admins

blueprint = Blueprint("marketing", __name__)
purposes.default(blueprint, "marketing")


@blueprint.post("/newsletter")
@purposes("marketing.information")
def newsletter() -> tuple[Row, int]:
    """Have a worker send the newsletter: it does so for this view's purpose."""
    return {"mailing": mail_admins.delay("here is our news.").id}, 202


@blueprint.get("/mailings/<uuid:mailing>")
def mailing(mailing: UUID) -> Row:
    """Show what came of a mailing."""
    result = current_app.extensions["celery"].AsyncResult(str(mailing))
    return {"state": result.state, **(result.result if result.successful() else {})}


@blueprint.post("/customers/<int:customer_id>/audience")
@purposes("advertising")
def audience(customer_id: int) -> list[Row]:
    """Hand a customer's administrators to a distributor of advertisements."""
    return marketing.audience(customer_id)
