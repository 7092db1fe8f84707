"""Events."""

from flask import Blueprint

from hr_service.database import Row
from hr_service.guard import purposes
from hr_service.services import events

blueprint = Blueprint("events", __name__)
purposes.default(blueprint, "events")


@blueprint.get("/events/<int:event_id>/participants")
def participants(event_id: int) -> list[Row]:
    """Show who takes part."""
    return events.participants(event_id)


@blueprint.get("/events/<int:event_id>/interests")
@purposes("analytics")
def interests(event_id: int) -> list[Row]:
    """Show what participants did."""
    return events.interests(event_id)


@blueprint.post("/events/<int:event_id>/co-host")
def hand_to_co_host(event_id: int) -> list[Row]:
    """Hand the list of participants to the co-host."""
    return events.hand_to_co_host(event_id)
