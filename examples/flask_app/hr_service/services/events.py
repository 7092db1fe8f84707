"""Events."""

from purposeguard import Access

from hr_service.database import Row
from hr_service.guard import guard
from hr_service.repositories import event_participants


@guard.purpose("events.operation")
def participants(event_id: int) -> list[Row]:
    """Return the list for the door."""
    return event_participants.of_event(event_id)


@guard.purpose("analytics.customer_needs")
def interests(event_id: int) -> list[Row]:
    """Return what participants did, to learn what customers need: the same rows, more columns."""
    return event_participants.of_event(event_id)


@guard.purpose("events.operation")
def hand_to_co_host(event_id: int) -> list[Row]:
    """Return the list that the event's co-host gets: of those who have agreed to that."""
    handing_over = Access(
        "event_participant",
        items=event_participants.CO_HOST,
        recipient="co_host",
    )
    people = event_participants.numbers(event_id)
    return event_participants.for_co_host(guard.permitted_subjects(handing_over, people))
