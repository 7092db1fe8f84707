"""What customers have entrusted."""

from flask import Blueprint

from hr_service.database import Row
from hr_service.guard import purposes
from hr_service.services import customers

blueprint = Blueprint("customers", __name__)
purposes.default(blueprint, "entrusted")


@blueprint.get("/customers/<int:customer_id>/payslips")
def payslips(customer_id: int) -> list[Row]:
    """Show a customer's payslips."""
    return customers.payslips(customer_id)
