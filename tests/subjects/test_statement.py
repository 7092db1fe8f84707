"""What a statement says about a person: what the policy grants, and what that comes to for them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from subject_kit import KEY, customer, day, subject

from cli.command_line import SMALL
from conditions.test_clauses import POLICY, TODAY
from purposeguard import Guard, UnknownNameError
from purposeguard.policy.access import Access
from purposeguard.policy_file import parse_policy
from purposeguard.subjects.sql import SqlSubjects
from purposeguard.subjects.statement import statement_of

TERMS = "terms-2026"


@pytest.fixture
def memory():
    """A store in memory: where what is decided counts, not where it is kept."""
    with SqlSubjects("sqlite://", key=KEY) as opened:
        yield opened


def uses_of(policy, store, category, value=7, **more):
    """Return the uses of a category, by purpose and recipient."""
    (part,) = statement_of(policy, store, [(category, value)], **more).parts
    return {(each.purpose, each.recipient): each for each in part.uses}


def test_every_use_that_the_policy_grants_and_no_other(store):
    """Also what a parent grants; neither what is prohibited nor a use that is for others only."""
    policy = parse_policy(SMALL, "small.yaml")
    found = uses_of(policy, store, "applicant")
    assert {key: (each.items, each.clauses, each.needs) for key, each in found.items()} == {
        ("hiring.screening", None): (("name", "cv"), ("A1",), ()),
        ("hiring.screening.score", None): (
            ("name", "email", "cv"),
            ("A1", "A2"),
            ("consent_individual",),
        ),
        ("hiring.contact", None): (("name", "email", "cv"), ("A3", "A4"), ()),
        ("ads", "agency"): (("email",), ("A5", "R1"), ()),
        ("ads", "adco"): (("email",), ("A5", "R1"), ()),
        ("hiring.contact", "partner"): (
            ("name", "email", "cv"),
            ("A3", "A4", "R2"),
            ("consent_individual",),
        ),
    }
    # The cell is for `hiring`, which is prohibited since its child is; another child is not.
    assert set(uses_of(policy, store, "guest")) == {("hiring.contact", None), ("ads", None)}


def nothing(_store):
    pass


def agreed(store):
    store.collected("visitor", 7, on=TODAY)
    store.collected("event_participant", 7, on=TODAY)
    for purpose, recipient in (
        ("events.operation", None),
        (None, "co_host"),
        ("events", "sponsor"),
    ):
        store.consent_given(
            category="event_participant",
            subject=7,
            purpose=purpose,
            recipient=recipient,
            wording=TERMS,
        )
    store.consent_given(by="customer", customer="acme", recipient="ad_distributors", wording=TERMS)
    store.mandate_given("acme")


def withdrawn(store):
    agreed(store)
    store.consent_withdrawn(category="event_participant", subject=7, recipient="co_host")
    store.mandate_ended("acme")


def suspended(store):
    agreed(store)
    for category in POLICY.rows:
        store.use_suspended(category, 7)


def ended(store):
    suspended(store)
    store.contract_ended(category="customer_admin", subject=7, on=TODAY)


def not_provided(store):
    agreed(store)
    for category in POLICY.rows:
        store.provision_suspended(category, 7)


def requested(store):
    for category in POLICY.rows:
        number = store.request_received(category, 7, kind="disclosure", form="prescribed")
        store.request_verified(number)
        store.request_authorised(number, "acme")


def erased(store):
    agreed(store)
    for category in POLICY.rows:
        store.erased(category, 7)


@pytest.mark.parametrize("customer_named", [True, False])
@pytest.mark.parametrize(
    "state",
    [nothing, agreed, withdrawn, suspended, ended, not_provided, requested, erased],
    ids=lambda state: state.__name__,
)
def test_what_holds_today_is_what_a_guard_decides(memory, state, customer_named):
    """For every use of every category, as a whole and item by item."""
    store = memory
    state(store)
    named = "acme" if customer_named else None
    guard = Guard(POLICY, subjects=store, subject_key=KEY)
    reasons = set()
    for category in POLICY.rows:
        for (purpose, recipient), use in uses_of(POLICY, store, category, customer=named).items():
            access = Access(
                category,
                purposes=(purpose,),
                items=use.items,
                recipient=recipient,
                subject=7,
                customer=named,
            )
            assert use.now == guard.decide(access), (category, purpose, recipient)
            now = [x for x in use.items if guard.decide(replace(access, items=(x,))).permitted]
            assert list(use.items_now) == now
            reasons.add(str(use.now.reason))
    expected = {
        nothing: {"granted", "consent_missing", "request_missing", "recipient_not_listed"},
        withdrawn: {"consent_withdrawn"},
        suspended: {"use_suspended"},
        ended: {"use_suspended"},
        not_provided: {"provision_suspended"},
        erased: {"retention_elapsed"},
    }
    assert expected.get(state, set()) <= reasons
    if state in (agreed, withdrawn):
        assert ("evidence_unavailable" in reasons) is not customer_named


def test_a_person_who_is_unknown_has_uses_all_the_same(store):
    """Nothing is on record; what the policy grants is still granted."""
    (part,) = statement_of(POLICY, store, [("candidate", "nobody")]).parts
    assert part.facts.collected is None
    assert part.facts.requests == part.facts.consents == ()
    assert any(use.now.permitted for use in part.uses)


def test_essential_items_go_on_until_the_contract_ends(store):
    """H6(ii): a suspended use still says which items are used."""
    store.use_suspended("customer_admin", 7)
    use = uses_of(POLICY, store, "customer_admin")["contract.execution", None]
    assert (use.now.reason, use.items_now) == ("use_suspended", ("contact",))
    store.contract_ended(category="customer_admin", subject=7, on=TODAY)
    use = uses_of(POLICY, store, "customer_admin")["contract.execution", None]
    assert (use.now.reason, use.items_now) == ("use_suspended", ())


def test_entrusted_data_with_and_without_their_customer(store):
    """Without the customer the use says what it needs; another one's mandate doesn't count."""
    store.mandate_given("acme")
    key = ("entrusted.service_delivery", None)
    found = {
        name: uses_of(POLICY, store, "entrusted", customer=name)[key]
        for name in (None, "acme", "other")
    }
    assert {each.needs for each in found.values()} == {("mandate",)}
    assert {name: str(each.now.reason) for name, each in found.items()} == {
        None: "evidence_unavailable",
        "acme": "granted",
        "other": "mandate_missing",
    }
    assert found[None].now.unmet == ("mandate",)
    assert not statement_of(POLICY, store, [("entrusted", 7)]).with_customer


def test_the_day_decides_about_periods_and_supervision(store):
    """A member whose supervision lapses, and a visit that is over."""
    store.collected("visitor", 7, on=TODAY)
    later = TODAY + timedelta(days=31)
    key = ("security.office_access", None)
    assert uses_of(POLICY, store, "visitor")[key].now.permitted
    assert uses_of(POLICY, store, "visitor", today=later)[key].now.reason == "retention_elapsed"
    found = uses_of(POLICY, store, "candidate")
    printer, hoster = (found["recruitment.contact", each] for each in ("printer", "hoster"))
    assert printer.now.permitted
    assert (hoster.now.reason, hoster.now.supervision_lapsed) == ("recipient_not_listed", True)
    # What it would need is told nevertheless.
    found = uses_of(POLICY, store, "entrusted")
    assert found["entrusted.service_delivery", "hoster"].needs == ("mandate",)


def test_what_is_on_record(store):
    """Consents with their wording and proof, requests with what came of them."""
    store.consent_given(
        category="candidate", subject=7, purpose="group", wording=TERMS, proof="form/12", at=day(1)
    )
    store.consent_withdrawn(category="candidate", subject=7, purpose="group", at=day(2))
    number = store.request_received("candidate", 7, kind="erasure", form="letter", at=day(3))
    store.request_answered(number, "refused", at=day(4))
    facts = statement_of(POLICY, store, [("candidate", 7)]).parts[0].facts
    (consent,) = facts.consents
    assert (consent.purpose, consent.wording, consent.proof) == ("group", TERMS, "form/12")
    assert (consent.given, consent.withdrawn) == (day(1), day(2))
    (request,) = facts.requests
    assert (request.kind, request.form, request.outcome) == ("erasure", "letter", "refused")
    assert (request.received, request.verified, request.closed) == (day(3), None, day(4))


def test_people_are_separate_in_each_category_and_told_once(store):
    """Candidate 7 and participant 7 have nothing in common; "7" and 7 are the same candidate."""
    store.use_suspended("candidate", 7)
    people = [("candidate", 7), ("event_participant", 7), ("candidate", "7")]
    parts = statement_of(POLICY, store, people).parts
    assert [(each.category, each.person) for each in parts] == [
        ("candidate", subject(7)),
        ("event_participant", subject(7, "event_participant")),
    ]
    assert [each.facts.use_suspended for each in parts] == [True, False]
    assert statement_of(POLICY, store, []).parts == ()


def test_nobody_else_is_in_it(store):
    """Neither an identifier, nor the hash of the customer who has authorised a request."""
    number = store.request_received("entrusted", "ada", kind="disclosure", form="prescribed")
    store.request_authorised(number, "acme")
    store.mandate_given("acme")
    found = statement_of(POLICY, store, [("entrusted", "ada")], customer="acme")
    assert found.parts[0].facts.requests[0].authorised
    text = repr(found.parts)
    assert "ada" not in text
    assert "acme" not in text
    assert customer("acme") not in text
    assert subject("ada", "entrusted") in text


def test_a_category_that_the_policy_lacks(store):
    """With the nearest one."""
    with pytest.raises(UnknownNameError, match="did you mean `candidate`"):
        statement_of(POLICY, store, [("candidate", 7), ("candidat", 7)])


def test_hashed_is_what_records_have(store):
    """For a person and for a customer."""
    assert store.hashed(category="candidate", subject=7) == subject(7)
    assert store.hashed(customer="acme") == customer("acme")
