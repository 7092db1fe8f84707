"""What people send with a request about their own data: it serves that request only."""

from collections.abc import Sequence

from sqlalchemy import Row, insert, orm, select

from hr_api.guard import guard
from hr_api.models import RequestRecord


def numbers(session: orm.Session, request_id: int) -> Sequence[Row]:
    """Return whose request it is, and its number among the subjects' requests."""
    query = select(RequestRecord.candidate_id, RequestRecord.number)
    return session.execute(query.where(RequestRecord.id == request_id)).all()


# A person's own letter is none of the sources that need somebody's consent.
@guard.access("request_record", items=["request"], operation="collect", source="other_lawful")
def add(session: orm.Session, candidate_id: int, number: int, request: str) -> int:
    """Keep a request, and return its id."""
    statement = insert(RequestRecord).returning(RequestRecord.id)
    values = {"candidate_id": candidate_id, "number": number, "request": request}
    added = session.scalars(statement, [values]).one()
    session.commit()
    return added


@guard.access("request_record", items=["identity_proof", "request"])
def to_verify(session: orm.Session, request_id: int) -> Sequence[Row]:
    """Return what shows that a request comes from the person whom it is about."""
    query = select(RequestRecord.number, RequestRecord.request, RequestRecord.identity_proof)
    return session.execute(query.where(RequestRecord.id == request_id)).all()


@guard.access("request_record", items=["request"])
def to_answer(session: orm.Session, request_id: int) -> Sequence[Row]:
    """Return what is asked for, and about whom."""
    query = select(RequestRecord.number, RequestRecord.candidate_id, RequestRecord.request)
    return session.execute(query.where(RequestRecord.id == request_id)).all()
