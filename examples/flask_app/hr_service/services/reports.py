"""What somebody might ask for one day, and the policy doesn't permit.

Nothing here checks anything: the functions that load the data do, whoever calls them.
"""

from hr_service.database import Row
from hr_service.guard import guard
from hr_service.outbox import send
from hr_service.repositories import (
    candidates,
    customer_admins,
    entrusted,
    event_participants,
    visitors,
)
from hr_service.services import recruiting


@guard.purpose("marketing.information")
def newsletter_to_candidates() -> Row:
    """Send the newsletter to people who only applied for a job."""
    found = candidates.addresses()
    for candidate in found:
        send(candidate["contact"], f"Dear {candidate['name']}, here is our news.")
    return {"sent": len(found)}


@guard.purpose("marketing.information")
def borrowed_openings() -> Row:
    """Do the same by calling recruiting: its purpose is added to ours, and both must permit."""
    return recruiting.tell_of_openings()


@guard.purpose("support.inquiry_response")
def activity(inquiry_id: int) -> list[Row]:
    """Return what an administrator who asked something did in the service."""
    return [
        activity
        for found in customer_admins.inquiries(inquiry_id)
        for activity in customer_admins.usage_log(found["admin_id"])
    ]


@guard.purpose("analytics.service_improvement")
def pay_trends() -> list[Row]:
    """Return what customers' employees earn, for the company's own analysis."""
    return entrusted.contents()


@guard.purpose("security.office_access")
def visitors_for_group() -> list[Row]:
    """Return the visitors, for a group company."""
    return visitors.for_group_company()


@guard.purpose("events.operation")
def all_guests(event_id: int) -> list[Row]:
    """Return all who take part, for the co-host: also those who haven't agreed."""
    return event_participants.for_co_host(event_participants.numbers(event_id))


@guard.purpose("events.operation")
def nameless_guests(event_id: int) -> list[Row]:
    """Return them without saying who they are, so that nobody can be looked up."""
    return event_participants.for_co_host_unnamed(event_id)


def everybody() -> list[Row]:
    """Return customers' administrators, without saying what for."""
    return customer_admins.addresses()
