"""What customers have entrusted."""

from flask import Blueprint

from hr_service.database import Row
from hr_service.guard import guard
from hr_service.services import customers

blueprint = Blueprint("customers", __name__)


@blueprint.get("/customers/<int:customer_id>/payslips")
@guard.purpose("entrusted", root=True)
def payslips(customer_id: int) -> list[Row]:
    """Show a customer's payslips."""
    return customers.payslips(customer_id)
