"""The service that customers have contracted: it works on what they entrust."""

from hr_service.database import Row
from hr_service.guard import guard
from hr_service.repositories import entrusted


@guard.purpose("entrusted.service_delivery")
def payslips(customer_id: int) -> list[Row]:
    """Return a customer's payslips, as that customer's mandate has it."""
    return entrusted.of_customer(customer_id)
