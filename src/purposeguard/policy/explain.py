"""A decision in one sentence: lower case, no final stop, names of data only, the fix at the end."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from purposeguard.policy.names import printable
from purposeguard.policy.reasons import Need, Reason

if TYPE_CHECKING:
    from purposeguard.policy.decide import Decision

_SHOWN = 6
"""How many alternatives a sentence lists before it says how many more there are."""

NEEDS = {
    Need.CONSENT_CUSTOMER: "the customer's consent",
    Need.CONSENT_INDIVIDUAL: "the person's own consent",
    Need.MANDATE: "the customer's mandate",
    Need.VERIFIED_REQUEST: "a verified request on the set form",
    Need.AUTHORISATION: "the customer's authorisation",
}
"""What each need is called in a sentence."""


def sentence(decision: "Decision") -> str:
    """Return what was decided, why, and what would be allowed instead."""
    return _SENTENCES[decision.reason](decision)


def names(values: Iterable[object]) -> str:
    """Return a list of names in backticks, cut short where it is long."""
    shown = [printable(value) for value in values]
    more = len(shown) - _SHOWN
    return ", ".join([*shown[:_SHOWN], f"and {more} more"] if more > 0 else shown)


def _purpose(decision: "Decision") -> str:
    others = [each for each in decision.purposes if each != decision.purpose]
    beside = f" (also in force: {names(others)})" if others else ""
    return f"purpose {printable(decision.purpose)}{beside}"


def _data(decision: "Decision") -> str:
    data = printable(decision.category)
    if decision.items:
        data += f" ({', '.join(printable(item).strip('`') for item in decision.items)})"
    return data + _towards(decision)


def _towards(decision: "Decision") -> str:
    return "" if decision.recipient is None else f" towards {printable(decision.recipient)}"


def _clauses(clauses: Iterable[str]) -> str:
    listed = list(clauses)
    shown = ", ".join(listed[:_SHOWN]) + (", …" if len(listed) > _SHOWN else "")
    return f" ({shown})" if listed else ""


def _instead(decision: "Decision") -> str:
    if not decision.allowed_purposes:
        return "the policy grants no purpose for it"
    granted = names(decision.allowed_purposes)
    limit = "for other items, recipients or sources " if decision.allowed_otherwise else ""
    return f"{limit}the policy grants {granted}{_clauses(decision.allowed_clauses)}"


def _granted(decision: "Decision") -> str:
    if decision.operation == "erase":
        return f"{_purpose(decision)} may erase {_data(decision)}: erasing is always permitted"
    return f"{_purpose(decision)} may access {_data(decision)}{_clauses(decision.clauses)}"


def _granted_by_ground(decision: "Decision") -> str:
    ground = printable(decision.ground)
    return f"{_granted(decision)}: the ground {ground} stands in for consent"


def _check_failed(decision: "Decision") -> str:
    return (
        f"the check of an access to {_data(decision)} failed: "
        "nothing is released until its cause is found"
    )


def _policy_not_loaded(decision: "Decision") -> str:
    return f"no policy is loaded to judge {_data(decision)} by: call `guard.load` first"


def _category_unknown(decision: "Decision") -> str:
    return (
        f"{printable(decision.category)} is no category of the policy: "
        "declare it there, or correct the name"
    )


def _purpose_undeclared(decision: "Decision") -> str:
    return (
        f"no purpose is declared for the access to {_data(decision)}: open `guard.purpose(…)` "
        "around it, and hand it to other threads or later work with `guard.carry(…)`"
    )


def _purpose_closed(decision: "Decision") -> str:
    scope = f"the scope that declared {_purpose(decision)}"
    if len(decision.purposes) > 1:
        scope = f"a scope on the chain of {names(decision.purposes)}"
    return (
        f"{scope} has ended, so {_data(decision)} may not be accessed under it: declare the "
        "purpose where the work is done (with `root=True` on a left-over chain), or hand it over "
        "with `guard.carry(…)`"
    )


def _purpose_unknown(decision: "Decision") -> str:
    return (
        f"{printable(decision.purpose)} is no purpose of the policy, so {_data(decision)} "
        "may not be accessed: declare it there, or correct the name"
    )


def _prohibited(decision: "Decision") -> str:
    return (
        f"{_purpose(decision)} is prohibited for {_data(decision)}{_clauses(decision.clauses)}"
        f"{_crossing(decision)}: {_instead(decision)}"
    )


def _not_granted(decision: "Decision") -> str:
    crossing = _crossing(decision)
    return f"{_purpose(decision)} may not access {_data(decision)}{crossing}: {_instead(decision)}"


def _crossing(decision: "Decision") -> str:
    if not decision.crosses_planes:
        return ""
    return ", which crosses between data that customers have entrusted and the company's own"


def _item_excess(decision: "Decision") -> str:
    excess = names(decision.excess)
    data = printable(decision.category) + _towards(decision)
    text = f"{_purpose(decision)} may not access {excess} of {data}"
    if decision.allowed_items:
        listed = ", ".join(f'"{item}"' for item in decision.allowed_items)
        return f"{text}{_clauses(decision.clauses)}: ask for `items=[{listed}]` or fewer"
    return f"{text}{_clauses(decision.clauses)}: {_instead(decision)}"


def _source_not_listed(decision: "Decision") -> str:
    source = "no source" if decision.source is None else printable(decision.source)
    listed = names(decision.allowed_sources) or "none"
    return (
        f"{_purpose(decision)} may not collect {_data(decision)} from {source}: "
        f"the policy lists {listed}"
    )


def _recipient_not_listed(decision: "Decision") -> str:
    data = _data(decision)
    if decision.recipient is None:
        data += " without a recipient"
    text = f"{_purpose(decision)} may not access {data}{_clauses(decision.clauses)}"
    if decision.supervision_lapsed:
        return (
            f"{text}, whose supervision is not on record or has expired: "
            "examine it, and record that under its `members`"
        )
    listed = names(decision.allowed_recipients) or "no recipient"
    return f"{text}: the policy lists {listed} for it"


def _use_suspended(decision: "Decision") -> str:
    text = f"use of {_data(decision)} is suspended for this person{_clauses(decision.clauses)}"
    if decision.allowed_items:
        spared = names(decision.allowed_items)
        fix = "ask for no more, or leave the person out"
        return f"{text}, all but {spared} until the contract ends: {fix}"
    return f"{text}: leave the person out until the suspension is lifted"


def _provision_suspended(decision: "Decision") -> str:
    return (
        f"provision of {_data(decision)} is suspended for this person{_clauses(decision.clauses)}: "
        "leave the person out of what is given away"
    )


def _retention_elapsed(decision: "Decision") -> str:
    clauses = _clauses(decision.clauses)
    return f"{_data(decision)} is kept past its retention period{clauses}: erase it"


def _unmet(decision: "Decision") -> str:
    return " and ".join(NEEDS[need] for need in decision.unmet) or "evidence"


def _lacks(decision: "Decision", state: str, fix: str) -> str:
    return (
        f"{_purpose(decision)} may access {_data(decision)} only with {_unmet(decision)}"
        f"{_clauses(decision.clauses)}, {state}: {fix}"
    )


def _mandate_missing(decision: "Decision") -> str:
    return _lacks(decision, "and there is none on record", "use it under a mandate only")


def _request_missing(decision: "Decision") -> str:
    verify = "record and verify the request first"
    fix = verify if Need.VERIFIED_REQUEST in decision.unmet else "obtain it first"
    return _lacks(decision, "and there is none on record", fix)


def _ground_not_accepted(decision: "Decision") -> str:
    ground = printable(decision.ground) if decision.ground else "the ground in force"
    return _lacks(decision, f"and {ground} does not stand in for it here", "obtain the consent")


def _consent_withdrawn(decision: "Decision") -> str:
    return _lacks(decision, "and it was withdrawn", "leave this person out")


def _consent_missing(decision: "Decision") -> str:
    return _lacks(decision, "and there is none on record", "obtain it first")


def _evidence_unavailable(decision: "Decision") -> str:
    if decision.unmet:
        return _lacks(
            decision,
            "which can't be looked up",
            "name whom it is about, and see that the guard's `subjects` are attached and answer",
        )
    return (
        f"{_purpose(decision)} may access {_data(decision)}{_clauses(decision.clauses)} unless "
        "something on record about this person stops it, which can't be looked up: see that the "
        "guard's `subjects` answer, and that the day of collection is recorded"
    )


_SENTENCES = {
    Reason.CHECK_FAILED: _check_failed,
    Reason.POLICY_NOT_LOADED: _policy_not_loaded,
    Reason.CATEGORY_UNKNOWN: _category_unknown,
    Reason.PURPOSE_UNDECLARED: _purpose_undeclared,
    Reason.PURPOSE_CLOSED: _purpose_closed,
    Reason.PURPOSE_UNKNOWN: _purpose_unknown,
    Reason.PROHIBITED: _prohibited,
    Reason.NOT_GRANTED: _not_granted,
    Reason.ITEM_EXCESS: _item_excess,
    Reason.SOURCE_NOT_LISTED: _source_not_listed,
    Reason.RECIPIENT_NOT_LISTED: _recipient_not_listed,
    Reason.USE_SUSPENDED: _use_suspended,
    Reason.PROVISION_SUSPENDED: _provision_suspended,
    Reason.RETENTION_ELAPSED: _retention_elapsed,
    Reason.MANDATE_MISSING: _mandate_missing,
    Reason.REQUEST_MISSING: _request_missing,
    Reason.GROUND_NOT_ACCEPTED: _ground_not_accepted,
    Reason.CONSENT_WITHDRAWN: _consent_withdrawn,
    Reason.CONSENT_MISSING: _consent_missing,
    Reason.EVIDENCE_UNAVAILABLE: _evidence_unavailable,
    Reason.GRANTED_BY_GROUND: _granted_by_ground,
    Reason.GRANTED: _granted,
}
