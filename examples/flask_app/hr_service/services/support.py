"""Support of customers."""

from hr_service.database import Row
from hr_service.guard import guard
from hr_service.repositories import customer_admins


@guard.purpose("support.inquiry_response")
def inquiry(inquiry_id: int) -> list[Row]:
    """Return an inquiry with the person to answer."""
    return [
        {"topic": found["topic"], **admin}
        for found in customer_admins.inquiries(inquiry_id)
        for admin in customer_admins.contact_card(found["admin_id"], found["customer_id"])
    ]


@guard.purpose("personalization.recommendation")
def recommendations(admin_id: int) -> list[Row]:
    """Return what an administrator may find useful, going by what they have not used."""
    return [
        {"recommended": "surveys"}
        for admin in customer_admins.usage_log(admin_id)
        if "never opened surveys" in admin["usage_log"]
    ]
