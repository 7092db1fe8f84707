"""What customers entrust about their employees."""

from hr_service.database import Row, rows
from hr_service.guard import guard


@guard.access("entrusted")
def contents() -> list[Row]:
    """Return everything that was entrusted."""
    return rows("SELECT id, content FROM entrusted")


@guard.access("entrusted", customer="customer_id")
def of_customer(customer_id: int) -> list[Row]:
    """Return what one customer has entrusted."""
    return rows("SELECT id, content FROM entrusted WHERE customer_id = ?", customer_id)
