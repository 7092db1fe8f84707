"""What a client is told when an access was denied: a problem document (RFC 9457)."""

from flask import Response, jsonify
from purposeguard import AccessDeniedError, Outcome

KINDS = {
    Outcome.VIOLATION: ("out-of-purpose", "The privacy policy does not permit this use"),
    Outcome.GAP: ("undecided", "It can't be shown that the privacy policy permits this use"),
}


def access_denied(error: AccessDeniedError) -> Response:
    """Answer 403. A decision holds names of data, never data, so it may be shown as it is."""
    decision = error.decision
    kind, title = KINDS[decision.outcome]
    response = jsonify(
        type=f"tag:hr.example,2026:{kind}",
        title=title,
        status=403,
        detail=decision.explain(),
        purpose=decision.purpose,
        category=decision.category,
        clause=decision.clauses,
        reason=decision.reason,
    )
    response.status_code = 403
    response.mimetype = "application/problem+json"
    return response
