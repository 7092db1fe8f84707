"""One access per reason. At first everything is wrong with it, then one thing after the other is
put right, so at each rung all later reasons apply as well and only the order decides.
"""

from small_policy import changed, compiled

from purposeguard.policy.access import Access, Evidence
from purposeguard.policy.decide import decide
from purposeguard.policy.reasons import Finding, Need, Reason

POLICY = compiled(
    changed(
        matrix={
            "patient": {
                "care.visit": {
                    "clauses": ["1"],
                    "items": ["name", "address"],
                    "needs": ["mandate", "verified_request", "authorisation"],
                },
                "careful": {"clauses": ["2", "3"]},
            }
        },
        prohibitions=[{"category": "patient", "purpose": "study", "clauses": ["4"]}],
        recipients={
            "clinic": {
                "kind": "third_party",
                "clauses": ["5"],
                "to": {
                    "patient": {
                        "purposes": ["care.visit"],
                        "needs": ["consent_customer", "consent_individual"],
                    }
                },
            }
        },
        sources={"form": {"clauses": ["6"]}},
        grounds={
            "other": {"title": "Lifts nothing", "clauses": ["7"]},
            "court": {
                "title": "A court orders it",
                "clauses": ["8"],
                "lifts": [
                    {
                        "needs": ["consent_customer"],
                        "recipients": ["clinic"],
                        "categories": ["patient"],
                    }
                ],
            },
        },
    )
)

WRONG = {
    "policy": None,
    "category": "nobody",
    "purposes": (),
    "closed": True,
    "items": ("name", "shoe_size"),
    "operation": "sell",
    "source": "hearsay",
    "recipient": "stranger",
    "grounds": ("court", "other"),
    "use_suspended": True,
    "provision_suspended": True,
    "erased": True,
    "mandate": "missing",
    "verified_request": "missing",
    "authorisation": "unknown",
    "consent_individual": "withdrawn",
    "consent_customer": "missing",
}
"""Nothing is right yet."""

RIGHTED = {
    Reason.CHECK_FAILED: {},
    Reason.POLICY_NOT_LOADED: {"operation": "collect"},
    Reason.CATEGORY_UNKNOWN: {"policy": POLICY},
    Reason.PURPOSE_UNDECLARED: {"category": "patient"},
    Reason.PURPOSE_CLOSED: {"purposes": ("care.visit", "study", "nope")},
    Reason.PURPOSE_UNKNOWN: {"closed": False},
    Reason.PROHIBITED: {"purposes": ("care.visit", "study", "care.bill")},
    Reason.NOT_GRANTED: {"purposes": ("care.visit", "care.bill")},
    Reason.ITEM_EXCESS: {"purposes": ("care", "care.visit")},
    Reason.SOURCE_NOT_LISTED: {"items": ("name", "address")},
    Reason.RECIPIENT_NOT_LISTED: {"source": "form"},
    Reason.USE_SUSPENDED: {"recipient": "clinic"},
    Reason.PROVISION_SUSPENDED: {"use_suspended": False},
    Reason.RETENTION_ELAPSED: {"provision_suspended": False},
    Reason.MANDATE_MISSING: {"erased": False},
    Reason.REQUEST_MISSING: {"mandate": "held"},
    Reason.GROUND_NOT_ACCEPTED: {"verified_request": "held"},
    Reason.CONSENT_WITHDRAWN: {"grounds": ()},
    Reason.CONSENT_MISSING: {"consent_individual": "held"},
    Reason.EVIDENCE_UNAVAILABLE: {"grounds": ("other", "court")},
    Reason.GRANTED_BY_GROUND: {"authorisation": "held"},
    Reason.GRANTED: {"consent_customer": "held"},
}
"""What is put right to get from the rung before to the one of each reason."""


def rung(reason):
    """Return the decision on the access of one rung."""
    at = dict(WRONG)
    for each, righted in RIGHTED.items():
        at.update(righted)
        if each is reason:
            break
    policy, category = at.pop("policy"), at.pop("category")
    flags = {key: at.pop(key) for key in ("use_suspended", "provision_suspended", "erased")}
    findings = {need: Finding(at.pop(need)) for need in Need}
    return decide(policy, Access(category, **at), Evidence(findings, **flags))
