"""Reception."""

from hr_service.database import Row
from hr_service.guard import guard
from hr_service.repositories import visitors


@guard.purpose("security.office_access")
def expected_visitors() -> list[Row]:
    """Return who is to be let in."""
    return visitors.expected()
