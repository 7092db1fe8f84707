"""Administrators of customers, and what they ask."""

from hr_service.database import Row, rows
from hr_service.guard import guard


def inquiries(inquiry_id: int) -> list[Row]:
    """Return an inquiry, if there is such a one: it says who asks by number only."""
    return rows("SELECT id, admin_id, customer_id, topic FROM inquiries WHERE id = ?", inquiry_id)


# `subject` and `customer` name parameters: records say whose data it was, as a keyed hash.
@guard.access(
    "customer_admin",
    items=["name", "affiliation", "contact"],
    subject="admin_id",
    customer="customer_id",
)
def contact_card(admin_id: int, customer_id: int) -> list[Row]:
    """Return who an administrator is, and how to reach them."""
    return rows(
        "SELECT name, affiliation, contact FROM customer_admins WHERE id = ? AND customer_id = ?",
        admin_id,
        customer_id,
    )


@guard.access("customer_admin", items=["name", "contact"])
def addresses() -> list[Row]:
    """Return name and address of every administrator."""
    return rows("SELECT id, name, contact FROM customer_admins")


@guard.access("customer_admin", items=["usage_log"], subject="admin_id")
def usage_log(admin_id: int) -> list[Row]:
    """Return what an administrator did in the service."""
    return rows("SELECT id, usage_log FROM customer_admins WHERE id = ?", admin_id)


@guard.access(
    "customer_admin",
    items=["name", "contact"],
    recipient="ad_distributors",
    customer="customer_id",
)
def audience(customer_id: int) -> list[Row]:
    """Return what advertisers get to know about a customer's administrators."""
    return rows("SELECT name, contact FROM customer_admins WHERE customer_id = ?", customer_id)
