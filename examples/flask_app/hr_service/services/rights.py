"""What people may ask about their own data, from the request to the answer."""

from pathlib import Path

from flask import current_app
from purposeguard.queries.person import PersonAccess, person_accesses
from purposeguard.queries.relation import reading
from purposeguard.subjects.statement import Statement

from hr_service.database import Row
from hr_service.guard import guard
from hr_service.repositories import candidates, request_records
from hr_service.subjects import requests, statement


@guard.purpose("privacy.request_handling")
def receive(candidate_id: int, kind: str) -> Row:
    """Take a request that has come in on the prescribed form."""
    number = requests().receive("candidate", candidate_id, kind=kind)
    return {"request": request_records.add(candidate_id, number, kind)}


@guard.purpose("privacy.request_handling")
def verify(request_id: int) -> Row:
    """Note that a request was made sure to come from the person whom it is about."""
    found = request_records.to_verify(request_id)
    for record in found:
        requests().verify(record["number"])
    return {"verified": len(found)}


@guard.purpose("privacy.request_handling")
def accept(request_id: int) -> Row:
    """Accept a request: it takes effect at the next access."""
    effects = [
        requests().accept(record["number"], record["candidate_id"]).text
        for record in request_records.to_answer(request_id)
    ]
    return {"effects": effects}


@guard.purpose("privacy.request_handling")
def report(request_id: int) -> list[Row]:
    """Return what is held about a person, what it may be used for, and when it was used."""
    return [_report(asked["candidate_id"]) for asked in request_records.numbers(request_id)]


def _report(candidate_id: int) -> Row:
    held = candidates.everything(candidate_id)
    known = statement("candidate", candidate_id)
    return {
        "held": held,
        "uses": [
            {"purpose": use.title, "to": use.recipient, "items": use.items, "now": use.now.reason}
            for part in known.parts
            for use in part.uses
        ],
        "accesses": [
            {"time": each.time.isoformat(), "purposes": each.purposes, "reason": each.reason}
            for each in _accesses(known)
        ],
    }


def _accesses(known: Statement) -> list[PersonAccess]:
    directory = current_app.config["LEDGER"]
    if directory is None:
        return []
    people = [(part.category, part.person) for part in known.parts]
    with reading(Path(directory)) as connection:
        return person_accesses(connection, people, known.key_id)[0]
