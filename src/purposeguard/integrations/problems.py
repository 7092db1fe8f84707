"""What a client is told when an access was denied: a problem document (RFC 9457)."""

from typing import Any

from purposeguard.exceptions import AccessDeniedError, LedgerError
from purposeguard.policy.reasons import Outcome

MEDIA_TYPE = "application/problem+json"

_KINDS = {
    Outcome.VIOLATION: ("out-of-purpose", "The privacy policy does not permit this use"),
    Outcome.GAP: ("undecided", "It can't be shown that the privacy policy permits this use"),
}
_NOT_RECORDED = ("not-recorded", "The use could not be recorded")


def denial_in(error: BaseException | None) -> AccessDeniedError | None:
    """Return the denial that an error is, or the first of a group that holds nothing else."""
    if isinstance(error, BaseExceptionGroup):
        leaves = [denial_in(each) for each in error.exceptions]
        return None if None in leaves else leaves[0]
    return error if isinstance(error, AccessDeniedError) else None


def problem(error: AccessDeniedError) -> dict[str, Any]:
    """Return the document, whose `status` is the one to answer with.

    403, or 503 where the policy permits the access and a required ledger could not record it. It
    names purpose, category, clauses and reason: names of data, never data.
    """
    decision = error.decision
    unrecorded = isinstance(error, LedgerError)
    kind, title = _NOT_RECORDED if unrecorded else _KINDS[decision.outcome]
    return {
        "type": f"urn:purposeguard:problem:{kind}",
        "title": title,
        "status": 503 if unrecorded else 403,
        "detail": str(error),
        "purpose": decision.purpose,
        "category": decision.category,
        "clause": list(decision.clauses),
        "reason": str(decision.reason),
    }
