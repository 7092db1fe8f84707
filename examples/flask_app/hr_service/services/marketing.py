"""Marketing."""

from hr_service.database import Row
from hr_service.guard import guard
from hr_service.outbox import send
from hr_service.repositories import customer_admins


@guard.purpose("marketing.information")
def newsletter() -> Row:
    """Send the newsletter to the administrators of customers."""
    found = customer_admins.addresses()
    for admin in found:
        send(admin["contact"], f"Dear {admin['name']}, here is our news.")
    return {"sent": len(found)}


@guard.purpose("advertising.delivery")
def audience(customer_id: int) -> list[Row]:
    """Return the audience that distributors show advertisements to: that customer has to agree."""
    return customer_admins.audience(customer_id)
