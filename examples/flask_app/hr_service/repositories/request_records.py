"""What people send with a request about their own data: it serves that request only."""

from hr_service.database import Row, execute, rows
from hr_service.guard import guard


def numbers(request_id: int) -> list[Row]:
    """Return whose request it is, and its number among the subjects' requests."""
    return rows("SELECT candidate_id, number FROM requests WHERE id = ?", request_id)


# A person's own letter is none of the sources that need somebody's consent.
@guard.access("request_record", items=["request"], operation="collect", source="other_lawful")
def add(candidate_id: int, number: int, request: str) -> int:
    """Keep a request, and return its id."""
    statement = "INSERT INTO requests (candidate_id, number, request) VALUES (?, ?, ?)"
    return execute(statement, candidate_id, number, request)


@guard.access("request_record", items=["identity_proof", "request"])
def to_verify(request_id: int) -> list[Row]:
    """Return what shows that a request comes from the person whom it is about."""
    return rows("SELECT number, request, identity_proof FROM requests WHERE id = ?", request_id)


@guard.access("request_record", items=["request"])
def to_answer(request_id: int) -> list[Row]:
    """Return what is asked for, and about whom."""
    return rows("SELECT number, candidate_id, request FROM requests WHERE id = ?", request_id)
