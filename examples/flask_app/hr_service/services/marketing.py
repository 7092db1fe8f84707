"""Marketing."""

from hr_service.database import Row
from hr_service.guard import guard
from hr_service.outbox import send
from hr_service.repositories import customer_admins


def mail_admins(text: str) -> Row:
    """Send a text to the administrators of customers. Whoever asks for it says why."""
    found = customer_admins.addresses()
    for admin in found:
        send(admin["contact"], f"Dear {admin['name']}, {text}")
    return {"sent": len(found)}


@guard.purpose("advertising.delivery")
def audience(customer_id: int) -> list[Row]:
    """Return the audience that distributors show advertisements to: that customer has to agree."""
    return customer_admins.audience(customer_id)
