"""`decide`: the order of reasons, the hierarchy of purposes, several of them, several cells."""

from datetime import date

import ladder
import pytest
from small_policy import cells, changed, compiled, evidence, judged

from purposeguard.policy.access import Access, Evidence
from purposeguard.policy.decide import decide
from purposeguard.policy.reasons import Finding, Need, Outcome, Reason

# The order.


@pytest.mark.parametrize("reason", Reason)
def test_the_earliest_reason_that_applies_is_given(reason):
    """At each rung of the ladder all later reasons apply too, and the rung's own is the answer."""
    assert tuple(ladder.RIGHTED) == tuple(Reason)
    assert ladder.rung(reason).reason is reason


def test_every_reason_has_its_outcome():
    """Gaps come first and last but for the grants, violations between."""
    gaps = [reason for reason in Reason if reason.outcome is Outcome.GAP]
    permits = [reason for reason in Reason if reason.outcome is Outcome.PERMIT]
    assert gaps == [
        *("check_failed", "policy_not_loaded", "category_unknown", "purpose_undeclared"),
        *("purpose_closed", "purpose_unknown", "evidence_unavailable"),
    ]
    assert permits == ["granted_by_ground", "granted"]
    assert len(Reason) - len(gaps) - len(permits) == 13


@pytest.mark.parametrize("reason", Reason)
def test_a_decision_says_what_it_rests_on(reason):
    """The purpose that gave the reason, the items refused, the needs unmet, what is allowed."""
    decision = ladder.rung(reason)
    at_fault = {
        Reason.CHECK_FAILED: None,
        Reason.POLICY_NOT_LOADED: None,
        Reason.CATEGORY_UNKNOWN: None,
        Reason.PURPOSE_UNDECLARED: None,
        Reason.PURPOSE_CLOSED: "nope",
        Reason.PURPOSE_UNKNOWN: "nope",
        Reason.PROHIBITED: "study",
        Reason.NOT_GRANTED: "care.bill",
    }
    assert decision.purpose == at_fault.get(reason, "care.visit")
    assert decision.outcome is reason.outcome
    assert bool(decision.policy_digest) == (
        reason not in (Reason.CHECK_FAILED, Reason.POLICY_NOT_LOADED)
    )
    assert decision.excess == (("shoe_size",) if reason is Reason.ITEM_EXCESS else ())
    assert bool(decision.unmet) == (
        reason.outcome is not Outcome.PERMIT
        and list(Reason).index(reason) >= list(Reason).index(Reason.MANDATE_MISSING)
    )


# The hierarchy.


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        ("care.visit", Reason.GRANTED),
        ("care.visit.home", Reason.GRANTED),
        ("care", Reason.NOT_GRANTED),
        ("care.bill", Reason.NOT_GRANTED),
        ("careful", Reason.NOT_GRANTED),
        ("study", Reason.NOT_GRANTED),
    ],
)
def test_a_grant_covers_its_children_and_nothing_else(purpose, expected):
    """A child is covered; parent, sibling, stranger and a key with the same beginning are not."""
    assert judged(changed(), purpose).reason is expected


@pytest.mark.parametrize(
    ("purposes", "in_force"),
    [
        (("care", "care.visit"), ("care.visit",)),
        (("care.visit", "care"), ("care.visit",)),
        (("care", "care.visit.home"), ("care.visit.home",)),
        (("care.visit", "care.visit"), ("care.visit",)),
        (("care", "careful"), ("care", "careful")),
        (("care.bill", "care.visit"), ("care.bill", "care.visit")),
        (("study", "care", "care.visit", "care.visit.home"), ("study", "care.visit.home")),
    ],
)
def test_ancestors_of_another_purpose_are_not_in_force(purposes, in_force):
    """Whatever the order; the rest stays, outermost first, each once."""
    assert judged(changed(), *purposes).purposes == in_force


# Several purposes in force.


def test_every_purpose_in_force_has_to_permit():
    """Two that permit are permitted; one that doesn't takes the access away, wherever it stands."""
    policy = cells(care={}, study={})
    assert judged(policy, "care", "study").reason is Reason.GRANTED
    for purposes in (("care", "careful"), ("careful", "care")):
        decision = judged(policy, *purposes)
        assert decision.reason is Reason.NOT_GRANTED
        assert decision.purpose == "careful"


def test_a_permit_names_the_innermost_purpose_and_every_cell():
    """Of several purposes that come to the same, the innermost is named; all clauses are."""
    decision = judged(cells(care={}, study={}), "care", "study")
    assert decision.purpose == "study"
    assert set(decision.cells) == {("patient", "care"), ("patient", "study")}
    assert set(decision.clauses) == {"c.care", "c.study"}


def test_the_purposes_items_intersect():
    """What one of two purposes may see, the other may not, is an excess."""
    policy = cells(care={"items": ["name", "address"]}, study={"items": ["name", "record"]})
    assert judged(policy, "care", "study", items=("name",)).permitted
    decision = judged(policy, "care", "study", items=("name", "address"))
    assert (decision.reason, decision.purpose) == (Reason.ITEM_EXCESS, "study")
    assert decision.excess == ("address",)
    assert decision.allowed_items == ("name", "record")


# Several cells that cover one access.

LAYERED = cells(
    care={"items": ["name"]},
    care_visit={"items": ["name", "address"], "needs": ["consent_individual"]},
    care_visit_home={"items": ["address", "record"], "needs": ["mandate"]},
)


@pytest.mark.parametrize(
    ("items", "known", "expected"),
    [
        (("name",), {}, Reason.GRANTED),
        (("name",), {"consent_individual": "missing"}, Reason.GRANTED),
        (("address",), {}, Reason.EVIDENCE_UNAVAILABLE),
        (("address",), {"consent_individual": "held"}, Reason.GRANTED),
        (("address",), {"mandate": "held"}, Reason.GRANTED),
        (("address",), {"consent_individual": "missing"}, Reason.EVIDENCE_UNAVAILABLE),
        (
            ("address",),
            {"consent_individual": "missing", "mandate": "missing"},
            Reason.CONSENT_MISSING,
        ),
        (("record",), {"consent_individual": "held"}, Reason.EVIDENCE_UNAVAILABLE),
        (("record",), {"mandate": "missing"}, Reason.MANDATE_MISSING),
        (("name", "address"), {"mandate": "held"}, Reason.GRANTED),
        (("address", "record"), {"consent_individual": "held"}, Reason.EVIDENCE_UNAVAILABLE),
        (None, {"mandate": "held"}, Reason.GRANTED),
        (None, {"mandate": "missing", "consent_individual": "held"}, Reason.MANDATE_MISSING),
    ],
)
def test_each_item_takes_its_best_cell_and_the_access_its_worst_item(items, known, expected):
    """An item needs only what the kindest cell of the purpose and its ancestors asks."""
    decision = judged(LAYERED, "care.visit.home", items=items, known=evidence(**known))
    assert decision.reason is expected


def test_a_cell_grants_no_item_on_another_cells_condition():
    """The condition of the cell that lists the item counts, not that of a kinder one."""
    policy = cells(
        care={"items": ["name"]},
        care_visit={"items": ["record"], "needs": ["consent_individual"]},
    )
    decision = judged(policy, "care.visit", items=("name", "record"))
    assert decision.reason is Reason.EVIDENCE_UNAVAILABLE
    assert decision.cells == (("patient", "care.visit"),)


def test_items_left_out_mean_all_of_them():
    """A cell that grants some items refuses an access that names none; so does an empty list."""
    policy = cells(care={"items": ["name", "record"]})
    for items in (None, ()):
        decision = judged(policy, "care", items=items)
        assert decision.reason is Reason.ITEM_EXCESS
        assert decision.excess == ("address",)
    assert judged(policy, "care", items=("name",)).permitted


# Prohibitions.

BANNED = cells(care={}, care_visit={}, study={})
BANNED["prohibitions"] = [{"category": "patient", "purpose": "care.visit", "clauses": ["no"]}]


@pytest.mark.parametrize(
    ("purpose", "expected"),
    [
        ("care", Reason.PROHIBITED),
        ("care.visit", Reason.PROHIBITED),
        ("care.visit.home", Reason.PROHIBITED),
        ("care.bill", Reason.GRANTED),
        ("study", Reason.GRANTED),
    ],
)
def test_a_prohibition_reaches_up_and_down(purpose, expected):
    """It hits descendants and ancestors, not siblings, and beats every grant."""
    decision = judged(BANNED, purpose)
    assert decision.reason is expected
    if expected is Reason.PROHIBITED:
        assert decision.clauses == ("no",)


def test_a_prohibition_concerns_its_category_only():
    """The same purpose stays granted for another category."""
    policy = {**BANNED, "matrix": {**BANNED["matrix"], "relative": {"care": {"clauses": ["r"]}}}}
    assert judged(policy, "care.visit", category="relative").reason is Reason.GRANTED


def test_the_prohibition_nearest_above_gives_its_clauses():
    """Of several that hit, the purpose's own comes first, then its ancestors', then those below."""
    policy = changed(
        prohibitions=[
            {"category": "patient", "purpose": "care", "clauses": ["top"]},
            {"category": "patient", "purpose": "care.visit", "clauses": ["middle"]},
            {"category": "patient", "purpose": "care.visit", "clauses": ["again"]},
            {"category": "patient", "purpose": "study", "clauses": ["other"]},
        ]
    )
    assert judged(policy, "care.visit.home").clauses == ("middle", "again")
    assert judged(policy, "care.bill").clauses == ("top",)
    assert judged(policy, "care").clauses == ("top",)


# Recipients.

GIVEN = cells(
    care_visit={},
    care_bill={"items": ["name"], "only_to": ["bank"]},
)
GIVEN["recipients"] = {
    "lab": {
        "kind": "joint_use",
        "clauses": ["lab"],
        "members": [{"key": "lab_north"}],
        "to": {"patient": {"purposes": ["care.visit"], "items": ["name", "record"]}},
    },
    "bank": {"kind": "third_party", "clauses": ["bank"], "to": {"patient": {}}},
    "printer": {
        "kind": "processor",
        "clauses": ["printer"],
        "members": [
            {
                "key": "printer_north",
                "supervision": {"recorded": "2026-01-01", "expires": "2026-11-30"},
            }
        ],
        "to": {"patient": {}},
    },
}


@pytest.mark.parametrize(
    ("recipient", "purpose", "items", "expected"),
    [
        ("lab", "care.visit", ("name", "record"), Reason.GRANTED),
        ("lab_north", "care.visit", ("name",), Reason.GRANTED),
        ("lab", "care.visit.home", ("name",), Reason.GRANTED),
        ("lab", "care.visit", ("address",), Reason.ITEM_EXCESS),
        ("lab", "care.visit", None, Reason.ITEM_EXCESS),
        ("lab", "study", ("name",), Reason.NOT_GRANTED),
        ("lab", "care.bill", ("name",), Reason.RECIPIENT_NOT_LISTED),
        ("bank", "care.bill", ("name",), Reason.GRANTED),
        ("bank", "care.bill", ("record",), Reason.ITEM_EXCESS),
        ("bank", "care.visit", None, Reason.GRANTED),
        ("printer", "care.visit", None, Reason.GRANTED),
        ("printer_north", "care.visit", None, Reason.GRANTED),
        ("printer", "care.bill", ("name",), Reason.RECIPIENT_NOT_LISTED),
        ("nobody", "care.visit", ("name",), Reason.RECIPIENT_NOT_LISTED),
        (None, "care.bill", ("name",), Reason.RECIPIENT_NOT_LISTED),
        (None, "care.visit", None, Reason.GRANTED),
    ],
)
def test_cell_and_recipient_must_both_allow(recipient, purpose, items, expected):
    """Category, purpose and item have to be in the cell and in the recipient's own table."""
    known = evidence(today="2026-11-02")
    decision = judged(GIVEN, purpose, recipient=recipient, items=items, known=known)
    assert decision.reason is expected
    if recipient and expected is Reason.GRANTED:
        assert decision.operation == "provide"
        assert decision.clauses[-1] == recipient.removesuffix("_north")


@pytest.mark.parametrize(
    ("recipient", "flag", "expected"),
    [
        (None, "use_suspended", Reason.USE_SUSPENDED),
        ("lab", "use_suspended", Reason.USE_SUSPENDED),
        ("printer", "use_suspended", Reason.USE_SUSPENDED),
        (None, "provision_suspended", Reason.GRANTED),
        ("lab", "provision_suspended", Reason.PROVISION_SUSPENDED),
        ("bank", "provision_suspended", Reason.PROVISION_SUSPENDED),
        ("printer", "provision_suspended", Reason.GRANTED),
        (None, "erased", Reason.RETENTION_ELAPSED),
        ("printer", "erased", Reason.RETENTION_ELAPSED),
    ],
)
def test_suspension_and_retention_stop_what_they_name(recipient, flag, expected):
    """A stop of provision leaves internal use and processors alone; the others stop everything."""
    known = evidence(today="2026-11-02", flags=(flag,))
    items = ("name", "record")
    decision = judged(GIVEN, "care.visit", recipient=recipient, items=items, known=known)
    assert decision.reason is expected


@pytest.mark.parametrize("flag", ["use_suspended", "erased", "provision_suspended"])
def test_a_verified_requests_handling_is_not_stopped(flag):
    """Once verified, its own purpose reaches data that is stopped, and no other purpose does."""
    kinds = {"see": {"title": "To see it", "clauses": ["r"]}}
    policy = {**GIVEN, "requests": {"purpose": "care", "kinds": kinds, "clauses": ["r"]}}
    verified = evidence(verified_request="held", flags=(flag,))
    given = {"items": ("name",), "recipient": "lab"}
    assert judged(policy, "care.visit", known=verified, **given).permitted
    assert not judged(policy, "care.visit", known=evidence(flags=(flag,)), **given).permitted
    other = {**policy, "requests": {**policy["requests"], "purpose": "study"}}
    assert not judged(other, "care.visit", known=verified, **given).permitted


# Sources, operations, erasing.


@pytest.mark.parametrize("operation", [None, "use", "store"])
def test_a_source_matters_for_collecting_only(operation):
    """Other operations are judged as if none had been named."""
    assert judged(changed(), "care.visit", source="hearsay", operation=operation).permitted


def test_providing_needs_a_recipient():
    """`provide` without one is refused, whatever the cell allows."""
    decision = judged(changed(), "care.visit", operation="provide")
    assert decision.reason is Reason.RECIPIENT_NOT_LISTED


@pytest.mark.parametrize("purpose", ["care.visit", "care", "study"])
def test_erasing_asks_for_a_known_purpose_only(purpose):
    """Granted or not, prohibited or not, suspended or not; items and recipients don't matter."""
    policy = {
        **changed(),
        "prohibitions": [{"category": "patient", "purpose": "study", "clauses": ["x"]}],
    }
    flags = ("use_suspended", "provision_suspended", "erased")
    decision = judged(
        *(policy, purpose),
        operation="erase",
        items=("anything",),
        known=evidence(flags=flags),
    )
    assert (decision.reason, decision.clauses, decision.cells) == (Reason.GRANTED, (), ())


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"purposes": ()}, Reason.PURPOSE_UNDECLARED),
        ({"purposes": ("care.visit",), "closed": True}, Reason.PURPOSE_CLOSED),
        ({"purposes": ("nope",)}, Reason.PURPOSE_UNKNOWN),
        ({"purposes": ("care.visit", "nope")}, Reason.PURPOSE_UNKNOWN),
    ],
)
def test_erasing_is_a_gap_all_the_same_where_the_purpose_is(given, expected):
    """The first row of reasons holds for erasing too."""
    access = Access("patient", operation="erase", **given)
    assert decide(compiled(changed()), access).reason is expected


# What is asked.


@pytest.mark.parametrize(
    "field",
    [{"purposes": "care.visit"}, {"items": "name"}, {"grounds": "court"}, {"operation": "sell"}],
)
def test_text_where_a_list_belongs_is_a_gap(field):
    """A bare string is never read letter by letter, nor an operation guessed."""
    given = {"purposes": ("care.visit",), **field}
    assert decide(compiled(changed()), Access("patient", **given)).reason is Reason.CHECK_FAILED


@pytest.mark.parametrize(
    "name",
    [
        "Care.visit",
        "care.visit ",
        "care.visit\n",
        "care.visit.",
        "care..visit",
        "",
        "c\u0430re.visit",
    ],
)
def test_names_match_exactly(name):
    """Nothing is trimmed, folded or normalised."""
    assert judged(changed(), name).reason is Reason.PURPOSE_UNKNOWN


@pytest.mark.parametrize("kind", [list, tuple, set, frozenset])
def test_an_access_copies_its_collections(kind):
    """What is done to a list after it was given changes nothing, and a set's order is fixed."""
    access = Access("patient", purposes=["care.visit"], items=kind(["record", "name"]))
    assert type(access.items) is tuple
    assert set(access.items) == {"name", "record"}
    names = ["name"]
    access = Access("patient", purposes=("care.visit",), items=names)
    names.append("shoe_size")
    assert access.items == ("name",)


def test_the_innermost_ground_counts():
    """An outer ground that would lift the consent does not, under an inner one that doesn't."""
    policy = ladder.POLICY
    findings = dict.fromkeys(Need, Finding.HELD) | {Need.CONSENT_CUSTOMER: Finding.MISSING}

    def answer(*grounds):
        access = Access(
            "patient",
            purposes=("care.visit",),
            items=("name",),
            recipient="clinic",
            grounds=grounds,
        )
        return decide(policy, access, Evidence(findings)).reason

    assert answer("other", "court") is Reason.GRANTED_BY_GROUND
    assert answer("court", "other") is Reason.GROUND_NOT_ACCEPTED
    assert answer("court", "unheard_of") is Reason.GROUND_NOT_ACCEPTED
    assert answer() is Reason.CONSENT_MISSING


def test_a_ground_saves_the_look_up():
    """Where a ground lifts the consent, it doesn't matter that nobody knows about the consent."""
    access = Access(
        "patient",
        purposes=("care.visit",),
        items=("name",),
        recipient="clinic",
        grounds=("court",),
    )
    findings = {need: Finding.HELD for need in Need if need is not Need.CONSENT_CUSTOMER}
    assert decide(ladder.POLICY, access, Evidence(findings)).reason is Reason.GRANTED_BY_GROUND


def grounded(recipient, **given):
    """Return the reason for giving a recipient data on a ground that lifts a consent."""
    policy = cells(care={})
    lab = {"kind": "third_party", "clauses": ["lab"], "members": [{"key": "lab_north"}]}
    policy["recipients"] = {"lab": {**lab, "to": {"patient": {"needs": ["consent_customer"]}}}}
    policy["sources"] = {"trader": {"clauses": ["s"], "needs": ["consent_customer"]}}
    lift = {"needs": ["consent_customer"], "recipients": ["lab"], "categories": ["patient"]}
    policy["grounds"] = {"court": {"title": "g", "clauses": ["g"], "lifts": [lift]}}
    known = evidence(consent_customer="missing")
    return judged(
        *(policy, "care"), recipient=recipient, grounds=("court",), known=known, **given
    ).reason


def test_a_ground_for_a_class_is_one_for_its_members():
    """A deployment lists members under the class that the ground names."""
    assert grounded("lab") is Reason.GRANTED_BY_GROUND
    assert grounded("lab_north") is Reason.GRANTED_BY_GROUND


def test_a_ground_lifts_no_consent_of_the_source():
    """Data collected for a recipient on a ground still need the consent to have been obtained."""
    collected = {"operation": "collect", "source": "trader"}
    assert grounded("lab", **collected) is Reason.GROUND_NOT_ACCEPTED


def test_a_ground_that_is_not_needed_is_ignored():
    """With the consent on record the access is granted by that."""
    access = Access(
        "patient",
        purposes=("care.visit",),
        items=("name",),
        recipient="clinic",
        grounds=("court",),
    )
    findings = dict.fromkeys(Need, Finding.HELD)
    assert decide(ladder.POLICY, access, Evidence(findings)).reason is Reason.GRANTED


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (date(2026, 11, 30), Reason.GRANTED),
        (date(2026, 12, 1), Reason.RECIPIENT_NOT_LISTED),
        (None, Reason.RECIPIENT_NOT_LISTED),
    ],
)
def test_supervision_counts_to_its_last_day(today, expected):
    """A processor whose supervision has expired, or can't be dated, is not listed."""
    decision = judged(GIVEN, "care.visit", recipient="printer_north", known=Evidence(today=today))
    assert decision.reason is expected


# What would be allowed.


def test_a_denial_names_the_purposes_that_fit_the_very_access():
    """Only cells that grant the items asked for, towards the recipient asked for."""
    policy = cells(care_visit={}, care_bill={"items": ["name"]}, study={"needs": ["mandate"]})
    asked = judged(policy, "careful", items=("record",))
    assert asked.allowed_purposes == ("care.visit", "study")
    assert asked.allowed_clauses == ("c.care_visit", "c.study")


def test_a_denial_falls_back_to_what_the_category_is_granted_for():
    """Where no cell fits the access, those that grant the category at all are named."""
    policy = cells(care_visit={"items": ["name"]}, study={"items": ["name"]})
    policy["prohibitions"] = [{"category": "patient", "purpose": "study", "clauses": ["x"]}]
    assert judged(policy, "careful", items=("record",)).allowed_purposes == ("care.visit",)
    assert judged(changed(matrix={}), "careful").allowed_purposes == ()


def test_a_refused_recipient_names_those_that_may():
    """Classes and members whose tables allow the purpose."""
    known = evidence(today="2026-11-02")
    decision = judged(GIVEN, "care.visit", recipient="nobody", items=("name",), known=known)
    assert decision.allowed_recipients == ("bank", "lab", "lab_north", "printer", "printer_north")
    assert judged(GIVEN, "care.bill", items=("name",)).allowed_recipients == ("bank",)


def test_a_permit_names_nothing_else():
    """There is nothing to say about alternatives."""
    decision = judged(changed(), "care.visit")
    assert decision.allowed_purposes == decision.allowed_clauses == decision.allowed_items == ()
