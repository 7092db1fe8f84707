"""What a person is told as JSON: whole, with the names of the policy and the ledger."""

import json
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from purposeguard.cli.ledger.forms.json_form import time_in_json
from purposeguard.cli.subject.forms.content import Disclosure
from purposeguard.queries.person import PersonAccess
from purposeguard.subjects.facts import Consent, Request
from purposeguard.subjects.statement import Part, Use


def as_json(disclosure: Disclosure) -> str:
    """Return all that is told. Times are UTC; an access without items is to all of them."""
    statement, accesses = disclosure.statement, disclosure.accesses
    policy = statement.policy
    whole = {
        "policy": {"name": policy.name, "version": policy.version, "digest": policy.digest},
        "day": statement.day,
        "people_key": statement.key_id,
        "customer_named": statement.with_customer,
        "since": disclosure.since,
        "until": disclosure.until,
        "categories": [_part(each) for each in statement.parts],
        "accesses": None if accesses is None else [_access(each) for each in accesses],
        "not_told": None
        if accesses is None
        else {
            "accesses_naming_nobody": disclosure.sum("nobody"),
            "accesses_under_another_key": disclosure.sum("other_key"),
            "lost": disclosure.sum("lost"),
            "refused": disclosure.sum("refused"),
            "unreadable_lines": disclosure.sum("broken"),
        },
    }
    # Plain ASCII: what a ledger holds may have been written to disturb a terminal.
    return json.dumps(whole, default=_in_json, indent=2) + "\n"


def _part(part: Part) -> dict[str, Any]:
    facts = part.facts
    return {
        "category": part.category,
        "title": part.title,
        "person": part.person,
        "collected": facts.collected,
        "contract_ended": facts.contract_ended,
        "use_suspended": facts.use_suspended,
        "provision_suspended": facts.provision_suspended,
        "erased": facts.erased,
        "consents": [_consent(each) for each in facts.consents],
        "requests": [_request(each) for each in facts.requests],
        "uses": [_use(each) for each in part.uses],
    }


def _consent(consent: Consent) -> dict[str, Any]:
    # A withdrawal of what was never agreed to has no wording.
    noted = consent.wording != ""
    return {
        "purpose": consent.purpose,
        "recipient": consent.recipient,
        "source": consent.source,
        "given": consent.given if noted else None,
        "withdrawn": consent.withdrawn,
        "wording": consent.wording if noted else None,
        "proof": consent.proof,
    }


def _request(request: Request) -> dict[str, Any]:
    return {
        "id": request.id,
        "kind": request.kind,
        "form": request.form,
        "received": request.received,
        "verified": request.verified,
        "authorised": request.authorised,
        "outcome": request.outcome,
        "closed": request.closed,
    }


def _use(use: Use) -> dict[str, Any]:
    return {
        "purpose": use.purpose,
        "title": use.title,
        "recipient": use.recipient,
        "items": use.items,
        "clauses": use.clauses,
        "needs": use.needs,
        "now": {
            "permitted": use.now.permitted,
            "outcome": use.now.outcome,
            "reason": use.now.reason,
            "unmet": use.now.unmet,
            "items": use.items_now,
        },
    }


def _access(access: PersonAccess) -> dict[str, Any]:
    return {**asdict(access), "released": access.released}


def _in_json(value: object) -> str:
    if isinstance(value, date) and not isinstance(value, datetime):
        return value.isoformat()
    return time_in_json(value)
