"""The closed sets of words that a decision is made of."""

from enum import StrEnum


class Outcome(StrEnum):
    """The answer to one access."""

    PERMIT = "permit"
    """The policy grants it."""
    VIOLATION = "violation"
    """The policy says no."""
    GAP = "gap"
    """It can't be judged."""


class Reason(StrEnum):
    """Why an access got its outcome, in the order in which reasons are tested.

    The earliest member that applies, over all purposes in force, is the reason of the access.
    """

    CHECK_FAILED = "check_failed"
    POLICY_NOT_LOADED = "policy_not_loaded"
    CATEGORY_UNKNOWN = "category_unknown"
    PURPOSE_UNDECLARED = "purpose_undeclared"
    PURPOSE_CLOSED = "purpose_closed"
    PURPOSE_UNKNOWN = "purpose_unknown"

    PROHIBITED = "prohibited"
    NOT_GRANTED = "not_granted"
    ITEM_EXCESS = "item_excess"
    SOURCE_NOT_LISTED = "source_not_listed"
    RECIPIENT_NOT_LISTED = "recipient_not_listed"
    USE_SUSPENDED = "use_suspended"
    PROVISION_SUSPENDED = "provision_suspended"
    RETENTION_ELAPSED = "retention_elapsed"
    MANDATE_MISSING = "mandate_missing"
    REQUEST_MISSING = "request_missing"
    GROUND_NOT_ACCEPTED = "ground_not_accepted"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    CONSENT_MISSING = "consent_missing"

    EVIDENCE_UNAVAILABLE = "evidence_unavailable"

    GRANTED_BY_GROUND = "granted_by_ground"
    GRANTED = "granted"

    @property
    def outcome(self) -> Outcome:
        """The outcome that this reason stands for."""
        return _OUTCOMES[self]


RANK = {reason: rank for rank, reason in enumerate(Reason)}
"""Place of each reason in the order of testing: of several that apply, the lowest rank counts."""


def _outcome(reason: Reason) -> Outcome:
    if RANK[reason] >= RANK[Reason.GRANTED_BY_GROUND]:
        return Outcome.PERMIT
    if RANK[Reason.PROHIBITED] <= RANK[reason] <= RANK[Reason.CONSENT_MISSING]:
        return Outcome.VIOLATION
    return Outcome.GAP


_OUTCOMES = {reason: _outcome(reason) for reason in Reason}


class Operation(StrEnum):
    """What is done with the data."""

    USE = "use"
    COLLECT = "collect"
    STORE = "store"
    PROVIDE = "provide"
    ERASE = "erase"


class RecipientKind(StrEnum):
    """Whom data goes to when it leaves."""

    JOINT_USE = "joint_use"
    PROCESSOR = "processor"
    THIRD_PARTY = "third_party"
    EXTERNAL_TRANSMISSION = "external_transmission"


class Need(StrEnum):
    """Evidence about a person or customer that a cell, recipient or source can need."""

    CONSENT_CUSTOMER = "consent_customer"
    CONSENT_INDIVIDUAL = "consent_individual"
    MANDATE = "mandate"
    VERIFIED_REQUEST = "verified_request"
    AUTHORISATION = "authorisation"


class Finding(StrEnum):
    """What a look-up of one need found."""

    HELD = "held"
    MISSING = "missing"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"
    """The look-up failed, or there is nothing to look it up in."""


class Mode(StrEnum):
    """What a denied access does to the call."""

    ENFORCE = "enforce"
    """It raises."""
    OBSERVE = "observe"
    """It is recorded, and the call goes on."""
