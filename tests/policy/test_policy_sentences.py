"""A decision in one sentence: every reason's wording, and what would be allowed instead."""

import re
from dataclasses import replace
from datetime import date

import ladder
import pytest
from small_policy import cells, changed, evidence, judged

from purposeguard.policy.access import Access
from purposeguard.policy.decide import decide
from purposeguard.policy.reasons import Need, Reason

GIVEN = "`patient` (name, address) towards `clinic`"
SENTENCES = {
    Reason.CHECK_FAILED: "the check of an access to `nobody` (name, shoe_size) towards `stranger` "
    "failed: nothing is released until its cause is found",
    Reason.POLICY_NOT_LOADED: "no policy is loaded to judge `nobody` (name, shoe_size) towards "
    "`stranger` by: call `guard.load` first",
    Reason.CATEGORY_UNKNOWN: "`nobody` is no category of the policy: declare it there, "
    "or correct the name",
    Reason.PURPOSE_UNDECLARED: "no purpose is declared for the access to `patient` (name, "
    "shoe_size) towards `stranger`: open `guard.purpose(…)` around it, and hand it to other "
    "threads or later work with `guard.carry(…)`",
    Reason.PURPOSE_CLOSED: "a scope on the chain of `care.visit`, `study`, `nope` has ended, so "
    "`patient` (name, shoe_size) towards `stranger` may not be accessed under it: declare the "
    "purpose where the work is done (with `root=True` on a left-over chain), or hand it over with "
    "`guard.carry(…)`",
    Reason.PURPOSE_UNKNOWN: "`nope` is no purpose of the policy, so `patient` (name, shoe_size) "
    "towards `stranger` may not be accessed: declare it there, or correct the name",
    Reason.PROHIBITED: "purpose `study` (also in force: `care.visit`, `care.bill`) is prohibited "
    "for `patient` (name, shoe_size) towards `stranger` (4): for other items, recipients "
    "or sources the policy grants `care.visit`, "
    "`careful` (1, 2, 3)",
    Reason.NOT_GRANTED: "purpose `care.bill` (also in force: `care.visit`) may not access "
    "`patient` (name, shoe_size) towards `stranger`: for other items, recipients "
    "or sources the policy grants `care.visit`, "
    "`careful` (1, 2, 3)",
    Reason.ITEM_EXCESS: "purpose `care.visit` may not access `shoe_size` of `patient` "
    'towards `stranger` (1): ask for `items=["name", "address"]` or fewer',
    Reason.SOURCE_NOT_LISTED: "purpose `care.visit` may not collect `patient` (name, address) "
    "towards `stranger` from `hearsay`: the policy lists `form`",
    Reason.RECIPIENT_NOT_LISTED: "purpose `care.visit` may not access `patient` (name, address) "
    "towards `stranger` (1, 6): the policy lists `clinic` for it",
    Reason.USE_SUSPENDED: f"use of {GIVEN} is suspended for this person (1, 5, 6): "
    "leave the person out until the suspension is lifted",
    Reason.PROVISION_SUSPENDED: f"provision of {GIVEN} is suspended for this person (1, 5, 6): "
    "leave the person out of what is given away",
    Reason.RETENTION_ELAPSED: f"{GIVEN} is kept past its retention period (1, 5, 6): erase it",
    Reason.MANDATE_MISSING: f"purpose `care.visit` may access {GIVEN} only with the customer's "
    "mandate (1, 5, 6), and there is none on record: use it under a mandate only",
    Reason.REQUEST_MISSING: f"purpose `care.visit` may access {GIVEN} only with a verified request "
    "on the set form (1, 5, 6), and there is none on record: record and verify the request first",
    Reason.GROUND_NOT_ACCEPTED: f"purpose `care.visit` may access {GIVEN} only with the customer's "
    "consent and the person's own consent (1, 5, 6), and `other` does not stand in for it here: "
    "obtain the consent",
    Reason.CONSENT_WITHDRAWN: f"purpose `care.visit` may access {GIVEN} only with the person's own "
    "consent (1, 5, 6), and it was withdrawn: leave this person out",
    Reason.CONSENT_MISSING: f"purpose `care.visit` may access {GIVEN} only with the customer's "
    "consent (1, 5, 6), and there is none on record: obtain it first",
    Reason.EVIDENCE_UNAVAILABLE: f"purpose `care.visit` may access {GIVEN} only with the "
    "customer's authorisation (1, 5, 6), which can't be looked up: name whom it is about, "
    "and see that the guard's `subjects` are attached and answer",
    Reason.GRANTED_BY_GROUND: f"purpose `care.visit` may access {GIVEN} (1, 5, 6, 8): "
    "the ground `court` stands in for consent",
    Reason.GRANTED: f"purpose `care.visit` may access {GIVEN} (1, 5, 6)",
}


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_its_sentence(reason):
    """What was decided, about which data, on which clauses, and what to do."""
    assert ladder.rung(reason).explain() == SENTENCES[reason]


@pytest.mark.parametrize("reason", Reason)
def test_sentences_keep_the_wording_rules(reason):
    """One line in lower case without a final stop; names in backticks; a denial says a fix."""
    sentence = ladder.rung(reason).explain()
    assert sentence[0] == "`" or sentence[0].islower()
    assert not sentence.endswith((".", "!", "\n", " "))
    assert len(sentence.splitlines()) == 1
    assert sentence.count("`") % 2 == 0
    assert "  " not in sentence
    if not ladder.rung(reason).permitted:
        assert re.search(r": [a-z`]", sentence)
    for name in ("patient", "clinic", "care.visit", "stranger"):
        assert not re.search(rf"[^`\w.]{name}|{name}[^`\w.]", sentence)


@pytest.mark.parametrize(
    ("policy", "asked", "expected"),
    [
        (
            changed(),
            {"purposes": ("study",)},
            "purpose `study` may not access `patient`: the policy grants `care.visit` (1)",
        ),
        (
            changed(matrix={}),
            {"purposes": ("study",)},
            "purpose `study` may not access `patient`: the policy grants no purpose for it",
        ),
        (
            changed(),
            {"purposes": ("care.visit",), "operation": "collect"},
            "purpose `care.visit` may not collect `patient` from no source: the policy lists none",
        ),
        (
            changed(),
            {"purposes": ("care.visit",), "operation": "provide"},
            (
                "purpose `care.visit` may not access `patient` without a recipient (1): "
                "the policy lists no recipient for it"
            ),
        ),
        (
            changed(),
            {"purposes": ("study",), "operation": "erase"},
            "purpose `study` may erase `patient`: erasing is always permitted",
        ),
        (
            changed(),
            {"purposes": ("care.visit",), "closed": True},
            (
                "the scope that declared purpose `care.visit` has ended, so `patient` may not be "
                "accessed under it: declare the purpose where the work is done (with `root=True` "
                "on a left-over chain), or hand it over with `guard.carry(…)`"
            ),
        ),
        (
            cells(care={"needs": ["authorisation"]}),
            {"purposes": ("care",)},
            (
                "purpose `care` may access `patient` only with the customer's authorisation "
                "(c.care), which can't be looked up: name whom it is about, "
                "and see that the guard's `subjects` are attached and answer"
            ),
        ),
    ],
)
def test_a_sentence_says_what_there_is_to_say(policy, asked, expected):
    """Recipient, items, clauses and alternatives are mentioned only where there are some."""
    asked = dict(asked)
    purposes = asked.pop("purposes")
    assert judged(policy, *purposes, **asked).explain() == expected


def planes():
    """The small policy with a plane of its own for relatives, and a purpose on each."""
    policy = changed(
        matrix={
            "patient": {"care.visit": {"clauses": ["1"]}, "study": {"clauses": ["2"]}},
            "relative": {"care.bill": {"clauses": ["3"]}, "study": {"clauses": ["2"]}},
        },
        prohibitions=[{"category": "relative", "purpose": "care.visit", "clauses": ["4"]}],
    )
    policy["categories"]["relative"]["plane"] = "entrusted"
    return policy


@pytest.mark.parametrize(
    ("category", "purpose", "reason", "crosses"),
    [
        ("relative", "care.visit", "prohibited", True),
        ("relative", "care.visit.home", "prohibited", True),
        ("relative", "careful", "not_granted", False),
        ("relative", "study", "granted", False),
        ("relative", "care.bill", "granted", False),
        ("patient", "care.bill", "not_granted", True),
        ("patient", "care", "not_granted", False),
        ("patient", "careful", "not_granted", False),
    ],
)
def test_a_purpose_of_the_other_plane_is_said_to_be_one(category, purpose, reason, crosses):
    """What no plane grants crosses none, and neither does what both do."""
    decision = judged(planes(), purpose, category=category)
    assert (decision.reason, decision.crosses_planes) == (reason, crosses)
    said = ", which crosses between data that customers have entrusted and the company's own: "
    assert (said in decision.explain()) is crosses


def test_a_suspension_says_what_goes_on_until_the_contract_ends():
    """The items that the service can't do without, of those that the purpose may see."""
    policy = cells(care={"items": ["name", "address"]})
    policy["essential"] = {"patient": {"items": ["name", "record"], "clauses": ["9"]}}
    suspended = evidence(flags=("use_suspended",))
    decision = judged(policy, "care", items=("address",), known=suspended)
    assert decision.explain() == (
        "use of `patient` (address) is suspended for this person (c.care), all but `name` until "
        "the contract ends: ask for no more, or leave the person out"
    )
    assert judged(policy, "care", items=decision.allowed_items, known=suspended).permitted
    over = replace(suspended, contract_ended=date(2026, 11, 1))
    assert judged(policy, "care", items=("address",), known=over).allowed_items == ()


def test_a_missing_authorisation_is_to_be_obtained():
    """A verified request without the customer's word needs that word, not another request."""
    decision = replace(ladder.rung(Reason.REQUEST_MISSING), unmet=(Need.AUTHORISATION,))
    assert decision.explain().endswith("and there is none on record: obtain it first")


def test_many_alternatives_are_cut_short():
    """Six purposes and six clauses are listed, then how many more there are."""
    purposes = {f"p{n}": {"title": "p"} for n in range(9)}
    row = {purpose: {"clauses": [f"{purpose[1]}a"]} for purpose in list(purposes)[:8]}
    decision = judged(changed(purposes=purposes, matrix={"patient": row}), "p8")
    assert decision.explain() == (
        "purpose `p8` may not access `patient`: the policy grants `p0`, `p1`, `p2`, `p3`, `p4`, "
        "`p5`, and 2 more (0a, 1a, 2a, 3a, 4a, 5a, …)"
    )
    assert len(decision.allowed_purposes) == 8


@pytest.mark.parametrize("reason", Reason)
def test_what_is_no_key_is_told_by_its_length(reason):
    """A name from outside that may hold personal data is in no sentence and in no field."""
    canary = "Ada Lovelace <ada@example.org>"
    access = Access(
        canary,
        purposes=(canary,),
        items=(canary,),
        recipient=canary,
        source=canary,
        grounds=(canary,),
    )
    for policy in (None, ladder.POLICY):
        for category in (canary, "patient"):
            for purpose in (canary, "care.visit"):
                asked = replace(access, category=category, purposes=(purpose,))
                decision = decide(policy, asked)
                shown = replace(decision, reason=reason)
                assert "Ada" not in shown.explain()
                assert "Ada" not in repr(decision)
