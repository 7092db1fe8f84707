"""What people may ask about their own data, from the request to the answer."""

from purposeguard.queries.person import PersonAccess, person_accesses
from purposeguard.queries.relation import reading
from purposeguard.subjects.statement import Statement
from sqlalchemy.orm import Session

from hr_api.guard import guard
from hr_api.repositories import candidates, request_records
from hr_api.schemas import Access, Profile, Report, Use
from hr_api.subjects import Subjects


@guard.purpose("privacy.request_handling")
def receive(session: Session, subjects: Subjects, candidate_id: int, kind: str) -> int:
    """Take a request that has come in on the prescribed form, and return its number."""
    number = subjects.requests.receive("candidate", candidate_id, kind=kind)
    return request_records.add(session, candidate_id, number, kind)


@guard.purpose("privacy.request_handling")
def verify(session: Session, subjects: Subjects, request_id: int) -> int:
    """Note that a request was made sure to come from the person whom it is about."""
    found = request_records.to_verify(session, request_id)
    for record in found:
        subjects.requests.verify(record.number)
    return len(found)


@guard.purpose("privacy.request_handling")
def accept(session: Session, subjects: Subjects, request_id: int) -> list[str]:
    """Accept a request: it takes effect at the next access."""
    return [
        subjects.requests.accept(record.number, record.candidate_id).text
        for record in request_records.to_answer(session, request_id)
    ]


@guard.purpose("privacy.request_handling")
def report(session: Session, subjects: Subjects, request_id: int) -> list[Report]:
    """Return what is held about a person, what it may be used for, and when it was used."""
    return [
        _report(session, subjects, asked.candidate_id)
        for asked in request_records.numbers(session, request_id)
    ]


def _report(session: Session, subjects: Subjects, candidate_id: int) -> Report:
    held = candidates.everything(session, candidate_id)
    known = subjects.statement("candidate", candidate_id)
    return Report(
        held=[Profile.model_validate(each) for each in held],
        uses=[
            Use(purpose=use.title, to=use.recipient, items=use.items, now=use.now.reason)
            for part in known.parts
            for use in part.uses
        ],
        accesses=[
            Access(time=each.time, purposes=each.purposes, reason=each.reason)
            for each in _accesses(subjects, known)
        ],
    )


def _accesses(subjects: Subjects, known: Statement) -> list[PersonAccess]:
    if subjects.ledger is None:
        return []
    people = [(part.category, part.person) for part in known.parts]
    with reading(subjects.ledger) as connection:
        return person_accesses(connection, people, known.key_id)[0]
