"""What a client is told when an access was denied: a problem document (RFC 9457)."""

from flask import Response, jsonify
from purposeguard import AccessDeniedError, LedgerError, Outcome, SubjectStoreError

KINDS = {
    Outcome.VIOLATION: ("out-of-purpose", "The privacy policy does not permit this use"),
    Outcome.GAP: ("undecided", "It can't be shown that the privacy policy permits this use"),
}


def access_denied(error: AccessDeniedError) -> Response:
    """Answer 403. A decision holds names of data, never data, so it may be shown as it is."""
    decision = error.decision
    kind, title = KINDS[decision.outcome]
    return _problem(
        403,
        kind,
        title,
        detail=decision.explain(),
        purpose=decision.purpose,
        category=decision.category,
        clause=decision.clauses,
        reason=decision.reason,
    )


def not_recorded(error: LedgerError) -> Response:
    """Answer 503: the policy permits it, and it may be asked for again once the ledger works."""
    return _problem(503, "not-recorded", "The use could not be recorded", detail=str(error))


def not_now(error: SubjectStoreError) -> Response:
    """Answer 409: a request that isn't verified yet, for one, can't be accepted."""
    return _problem(409, "not-now", "That can't be done now", detail=str(error))


def _problem(status: int, kind: str, title: str, **more: object) -> Response:
    response = jsonify(type=f"tag:hr.example,2026:{kind}", title=title, status=status, **more)
    response.status_code = status
    response.mimetype = "application/problem+json"
    return response
