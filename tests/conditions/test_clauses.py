"""Every clause of SmartHR's policy that code can keep: what it permits, and what it denies.

Each row is named after its clause; the store of subjects is a real one. The deployment is SmartHR's
policy with what it leaves to a deployment: members, retention, essential items.
"""

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

from purposeguard import (
    AccessDeniedError,
    Guard,
    Ledger,
    LedgerError,
    OutOfPurposeError,
    UnknownNameError,
    bundled_policy,
    identities,
    points,
)
from purposeguard.policy.access import Access, Evidence
from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.matrix import compile_document
from purposeguard.subjects.sql import SqlSubjects

KEY = b"sixteen bytes or more"
TODAY = datetime.now(UTC).date()
TERMS = "terms-2026"
ORDER = {"justification": "a court has ordered it"}
DIFFICULT = {"justification": "a life is in danger", "condition": "consent_difficult"}


def content():
    """Return the bundled policy as plain data."""
    return bundled_policy("smarthr").document.model_dump(mode="json", exclude_none=True)


def compiled(content):
    """Return a policy from plain data."""
    policy, problems = compile_document(PolicyDocument.model_validate(content))
    assert policy is not None, problems
    return policy


def deployed():
    """Return the policy as a deployment completes it."""
    made = content()
    recipients = made["recipients"]
    examined = {"recorded": "2026-01-01", "expires": str(TODAY + timedelta(days=30))}
    lapsed = {"recorded": "2025-01-01", "expires": str(TODAY - timedelta(days=1))}
    recipients["outsourcing_partner"]["members"] = [
        {"key": "printer", "supervision": examined},
        {"key": "hoster", "supervision": lapsed},
    ]
    recipients["co_host"]["members"] = [{"key": "city_fair"}]
    recipients["group_company"]["members"] = [{"key": "subsidiary"}]
    recipients["co_host"]["to"]["customer_admin"] = {
        "purposes": ["support.customer"],
        "items": ["name"],
        "needs": ["consent_customer", "consent_individual"],
    }
    made["retention"] = {
        "visitor": {"period": "P30D", "counted_from": "collection", "clauses": ["H7"]}
    }
    made["essential"] = {"customer_admin": {"items": ["contact"], "clauses": ["H6(ii)"]}}
    return compiled(made)


POLICY = deployed()


@pytest.fixture
def store():
    with SqlSubjects("sqlite://", key=KEY) as opened:
        yield opened


@pytest.fixture
def ask(store):
    """Return a function that makes an access and returns its reason."""
    guard = Guard(POLICY, subjects=store, subject_key=KEY)

    def asked(category, purpose, *items, ground=None, **given):
        name, stated = ground or (None, {})
        with guard.purpose(purpose, root=True):
            try:
                if name is None:
                    return str(guard.check(category, items=list(items) or None, **given).reason)
                with guard.ground(name, **stated):
                    return str(guard.check(category, items=list(items) or None, **given).reason)
            except AccessDeniedError as error:
                return str(error.decision.reason)

    return asked


def verified(store, category, person, kind="disclosure", form="prescribed", customer=None):
    """Record a request, verified, and return its id."""
    number = store.request_received(category, person, kind=kind, form=form)
    store.request_verified(number)
    if customer is not None:
        store.request_authorised(number, customer)
    return number


def test_p0_joint_use_is_for_the_group(ask):
    asked = ("customer_admin", "support.customer", "name")
    assert ask(*asked, recipient="subsidiary") == "granted"
    with pytest.raises(UnknownNameError, match="`other_corp` is no recipient"):
        ask(*asked, recipient="other_corp")


def test_p1_only_for_the_purpose_and_only_what_it_needs(ask):
    assert ask("candidate", "recruitment.selection") == "granted"
    assert ask("candidate", "recruitment.statistics", "work_history") == "granted"
    assert ask("candidate", "marketing.information") == "not_granted"
    assert ask("customer_admin", "support.inquiry_response", "usage_log") == "item_excess"


def test_p2_a_denied_access_releases_nothing_and_leaves_its_record(store, tmp_path):
    """And one that can't be recorded releases nothing either."""
    ledger = Ledger(tmp_path / "ledger", key=None)
    guard = Guard(POLICY, subjects=store, subject_key=KEY, ledger=ledger)
    released = []

    @guard.access("candidate", items=["work_history"], subject="person")
    def history(person):
        released.append(person)

    with guard.purpose("recruitment.selection"):
        history(7)
    with guard.purpose("marketing.information"), pytest.raises(OutOfPurposeError):
        history(8)
    assert released == [7]
    (file,) = (tmp_path / "ledger").glob("*.jsonl")
    lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    told = [(each["reason"], len(each["subjects"])) for each in lines if each["kind"] == "access"]
    assert told == [("granted", 1), ("not_granted", 1)]
    ledger.close()
    with guard.purpose("recruitment.selection"), pytest.raises(LedgerError):
        history(9)
    assert released == [7]


def test_p3_h9_complaints_are_answered_under_request_handling(ask):
    assert ask("request_record", "privacy.request_handling") == "granted"
    assert ask("request_record", "support.inquiry_response") == "prohibited"


def test_p4_law_lifts_only_what_the_policy_names(ask):
    """The law is named, and its exceptions are; nothing is let by in silence."""
    assert POLICY.document.law == "APPI"
    given = {"recipient": "co_host", "subject": 7}
    asked = ("event_participant", "events.operation", "name")
    assert ask(*asked, ground=("legal_obligation", ORDER), **given) == "granted_by_ground"
    with pytest.raises(UnknownNameError, match="`security` is no ground"):
        ask(*asked, ground=("security", ORDER), **given)


def test_p5_a_reviewed_policy_is_another_one_and_takes_effect():
    """Each decision says which version made it."""
    guard = Guard(POLICY)
    asked = Access("visitor", purposes=("security.office_access",))
    first = guard.decide(asked)
    assert first.permitted
    made = content() | {"version": "2027-01"}
    del made["matrix"]["visitor"]
    guard.load(compiled(made))
    second = guard.decide(asked)
    assert (second.reason, second.policy_version) == ("not_granted", "2027-01")
    assert (first.policy_version, first.policy_digest) == ("2026-11", POLICY.digest)
    assert second.policy_digest not in ("", POLICY.digest)


@pytest.mark.parametrize("source", ["entered", "usage", "customer", "other_lawful"])
def test_h1_collecting_names_a_source(ask, source):
    given = {"operation": "collect"}
    assert ask("customer_admin", "contract.execution", "name", source=source, **given) == "granted"
    assert ask("customer_admin", "contract.execution", "name", **given) == "source_not_listed"


def test_h1_iv_a_third_party_needs_a_customers_consent(ask, store):
    given = {"operation": "collect", "source": "third_party", "customer": "acme"}
    assert ask("customer_admin", "contract.execution", "name", **given) == "consent_missing"
    store.consent_given(by="customer", customer="acme", source="third_party", wording=TERMS)
    assert ask("customer_admin", "contract.execution", "name", **given) == "granted"
    store.consent_withdrawn(by="customer", customer="acme", source="third_party")
    assert ask("customer_admin", "contract.execution", "name", **given) == "consent_withdrawn"
    store.consent_given(by="customer", customer="acme", source="third_party", wording=TERMS)
    store.consent_withdrawn(by="customer", customer="acme", purpose="marketing")  # from anywhere
    assert ask("customer_admin", "contract.execution", "name", **given) == "granted"
    assert ask("customer_admin", "marketing.information", "name", **given) == "consent_withdrawn"
    store.consent_given(by="customer", customer="acme", purpose="marketing", wording=TERMS)
    assert ask("customer_admin", "marketing.information", "name", **given) == "consent_withdrawn"


def test_h2_i_the_cells_and_nothing_else(ask):
    """33 cells of the company's own data; under any other purpose there nothing is seen."""
    granted = 0
    for category in [each for each in POLICY.rows if each not in ("entrusted", "request_record")]:
        cells = POLICY.rows[category].cells
        for purpose in POLICY.lineages:
            if purpose.startswith(("privacy", "advertising", "external", "entrusted")):
                continue
            if purpose in cells:
                assert ask(category, purpose, *cells[purpose].items) == "granted"
                granted += 1
            else:
                assert ask(category, purpose) in ("not_granted", "prohibited")
    assert granted == 33


def test_h2_ii_a_entrusted_data_only_under_that_customers_mandate(ask, store):
    purpose = "entrusted.service_delivery"
    assert ask("entrusted", purpose, customer="acme") == "mandate_missing"
    store.mandate_given("acme")
    assert ask("entrusted", purpose, customer="acme") == "granted"
    assert ask("entrusted", purpose, customer="another") == "mandate_missing"
    assert ask("entrusted", purpose) == "evidence_unavailable"
    store.mandate_ended("acme")
    assert ask("entrusted", purpose, customer="acme") == "mandate_missing"


@pytest.mark.parametrize("purpose", ["marketing.information", "analytics.service_development"])
def test_h2_ii_a_entrusted_data_never_for_own_purposes(ask, store, purpose):
    store.mandate_given("acme")
    assert ask("entrusted", purpose, customer="acme") == "prohibited"
    assert ask("customer_admin", purpose, "name") == "granted"


def test_h2_i_c_1_co_hosts_with_the_participants_consent(ask, store):
    given = {"recipient": "city_fair", "subject": 7}
    assert ask("event_participant", "events.operation", "name", **given) == "consent_missing"
    store.consent_given(category="event_participant", subject=7, recipient="co_host", wording=TERMS)
    assert ask("event_participant", "events.operation", "name", **given) == "granted"
    assert ask("event_participant", "events.operation", "usage_log", **given) == "item_excess"
    assert ask("event_participant", "marketing.information", "name", **given) == (
        "recipient_not_listed"
    )


def test_h3_i_p1_distributors_with_the_customers_consent(ask, store):
    given = {"recipient": "ad_distributors", "customer": "acme"}
    ads = "advertising.delivery"
    assert ask("customer_admin", ads, "name", **given) == "consent_missing"
    store.consent_given(by="customer", customer="acme", purpose=ads, wording=TERMS)
    assert ask("customer_admin", ads, "name", **given) == "granted"
    assert ask("customer_admin", ads, "usage_log", **given) == "item_excess"
    assert ask("customer_admin", ads, "name", customer="acme") == "recipient_not_listed"
    assert ask("candidate", ads, "name", **given) in ("not_granted", "prohibited")
    assert (
        ask(
            "customer_admin",
            ads,
            "name",
            ground=("legal_obligation", ORDER),
            recipient="ad_distributors",
            customer="other",
        )
        == "ground_not_accepted"
    )


def test_h3_i_p2_a_customer_admin_needs_both_consents(ask, store):
    given = {"recipient": "co_host", "subject": 7, "customer": "acme"}
    support = "support.customer"
    assert ask("customer_admin", support, "name", **given) == "consent_missing"
    store.consent_given(category="customer_admin", subject=7, recipient="co_host", wording=TERMS)
    assert ask("customer_admin", support, "name", **given) == "consent_missing"
    store.consent_given(by="customer", customer="acme", recipient="co_host", wording=TERMS)
    assert ask("customer_admin", support, "name", **given) == "granted"
    store.consent_withdrawn(category="customer_admin", subject=7, recipient="co_host")
    assert ask("customer_admin", support, "name", **given) == "consent_withdrawn"


@pytest.mark.parametrize(
    ("clause", "ground"),
    [
        ("H3(i)-1", ("legal_obligation", ORDER)),
        ("H3(i)-2", ("vital_interest", DIFFICULT)),
        ("H3(i)-3", ("public_health_or_children", DIFFICULT)),
        ("H3(i)-4", ("state_cooperation", {**ORDER, "condition": "consent_would_impede"})),
    ],
)
def test_h3_i_the_four_exceptions(ask, store, clause, ground):
    given = {"recipient": "co_host", "subject": 7}
    assert ask("event_participant", "events.operation", "name", ground=ground, **given) == (
        "granted_by_ground"
    )
    assert ask("event_participant", "events.operation", "usage_log", ground=ground, **given) == (
        "item_excess"
    )
    assert ask("candidate", "events.operation", "name", ground=ground, **given) == "not_granted"
    assert clause in POLICY.grounds[ground[0]].clauses
    store.provision_suspended("event_participant", 7)
    assert ask("event_participant", "events.operation", "name", ground=ground, **given) == (
        "provision_suspended"
    )


def test_h3_ii_joint_use_by_row_and_item(ask):
    given = {"recipient": "group_company"}
    assert ask("candidate", "recruitment.selection", "name", "work_history", **given) == "granted"
    assert ask("candidate", "recruitment.selection", "affiliation", **given) == "item_excess"
    assert ask("visitor", "security.office_access", "name", **given) == "recipient_not_listed"
    assert ask("customer_admin", "support.customer", "name", **given) == "granted"


def test_h3_iii_processors_are_supervised(ask, store):
    given = {"recipient": "printer", "subject": 7}
    assert ask("candidate", "recruitment.contact", "contact", **given) == "granted"
    store.provision_suspended("candidate", 7)
    assert ask("candidate", "recruitment.contact", "contact", **given) == "granted"
    assert ask("candidate", "recruitment.contact", "contact", recipient="hoster") == (
        "recipient_not_listed"
    )


def test_h3_iii_supervision_lapses_inside_a_ground_too(ask, monkeypatch):
    """A ground lifts consent only, and what was answered before the day doesn't count after it."""
    asked = ("candidate", "recruitment.contact", "contact")
    given = {"recipient": "printer", "ground": ("legal_obligation", ORDER)}
    for named in ({}, {"subject": 7}):
        assert ask(*asked, **given, **named) == "granted"
    later = Evidence(today=TODAY + timedelta(days=31))
    monkeypatch.setattr(points, "evidence_now", lambda: later)
    monkeypatch.setattr(identities, "evidence_now", lambda: later)
    for named in ({}, {"subject": 7}):
        assert ask(*asked, **given, **named) == "recipient_not_listed"


def test_h5_external_transmission_of_the_usage_log_only(ask):
    given = {"recipient": "external_marketing"}
    assert ask("enquirer", "external.marketing", "usage_log", **given) == "granted"
    assert ask("enquirer", "external.marketing", "name", **given) == "item_excess"
    assert ask("enquirer", "external.marketing", "usage_log") == "recipient_not_listed"
    assert ask("candidate", "external.marketing", "name", **given) != "granted"


def test_h6_i_a_verified_request_opens_what_is_held(ask, store):
    handling = "privacy.request_handling"
    assert ask("candidate", handling, subject=7) == "request_missing"
    number = store.request_received("candidate", 7, kind="disclosure", form="prescribed")
    assert ask("candidate", handling, subject=7) == "request_missing"  # not verified yet
    store.request_verified(number)
    assert ask("candidate", handling, subject=7) == "granted"
    assert ask("candidate", handling, subject=8) == "request_missing"
    store.request_answered(number, "accepted")
    assert ask("candidate", handling, subject=7) == "request_missing"


def test_h6_i_entrusted_data_with_that_customers_authorisation(ask, store):
    handling = "privacy.request_handling"
    number = verified(store, "entrusted", 7)
    assert ask("entrusted", handling, subject=7, customer="acme") == "request_missing"
    store.request_authorised(number, "acme")
    assert ask("entrusted", handling, subject=7, customer="acme") == "granted"
    assert ask("entrusted", handling, subject=7, customer="another") == "request_missing"


def test_h6_i_suspension_and_erasure_stop_the_next_access(ask, store):
    asked = ("candidate", "recruitment.contact", "contact")
    assert ask(*asked, subject=7) == "granted"
    store.use_suspended("candidate", 7)
    assert ask(*asked, subject=7) == "use_suspended"
    assert ask(*asked, subject=8) == "granted"
    verified(store, "candidate", 7)  # whose handling is not stopped
    assert ask("candidate", "privacy.request_handling", subject=7) == "granted"
    store.use_resumed("candidate", 7)
    assert ask(*asked, subject=7) == "granted"
    store.erased("candidate", 7)
    assert ask(*asked, subject=7) == "retention_elapsed"
    assert ask(*asked, subject=7, operation="erase") == "granted"


def test_h6_i_suspension_of_provision_stops_giving_away_only(ask, store):
    store.provision_suspended("candidate", 7)
    asked = ("candidate", "recruitment.contact", "contact")
    assert ask(*asked, subject=7) == "granted"
    assert ask(*asked, subject=7, recipient="group_company") == "provision_suspended"
    assert ask(*asked, subject=8, recipient="group_company") == "granted"


def test_h6_ii_essential_items_until_the_contract_ends(ask, store):
    asked = ("customer_admin", "contract.execution")
    store.use_suspended("customer_admin", 7)
    assert ask(*asked, "contact", subject=7, customer="acme") == "granted"
    assert ask(*asked, "name", subject=7, customer="acme") == "use_suspended"
    store.contract_ended(customer="acme", on=TODAY)
    assert ask(*asked, "contact", subject=7, customer="acme") == "use_suspended"
    store.provision_suspended("customer_admin", 8)  # which takes effect at once
    assert (
        ask(
            "customer_admin",
            "support.customer",
            "contact",
            recipient="group_company",
            subject=8,
            customer="acme",
        )
        == "provision_suspended"
    )


def test_h6_iii_the_fee_is_told_and_opens_nothing(ask, store):
    """It is for two kinds of request; whether it was paid is no condition of an access."""
    fee = POLICY.document.requests.fee
    assert (fee.amount, fee.currency, fee.clauses) == (1000, "JPY", ("H6(iii)",))
    assert set(fee.kinds) == {"disclosure", "notice_of_use"}
    for person, kind in enumerate(POLICY.document.requests.kinds):
        assert ask("candidate", "privacy.request_handling", subject=person) == "request_missing"
        verified(store, "candidate", person, kind=kind)
        assert ask("candidate", "privacy.request_handling", subject=person) == "granted"


def test_h6_iv_a_request_in_another_form_opens_nothing(ask, store):
    verified(store, "candidate", 7, form="letter")
    assert ask("candidate", "privacy.request_handling", subject=7) == "request_missing"
    verified(store, "candidate", 7)
    assert ask("candidate", "privacy.request_handling", subject=7) == "granted"


@pytest.mark.parametrize("purpose", ["marketing.information", "entrusted.service_delivery"])
def test_h6_v_what_a_request_brings_in_serves_it_only(ask, purpose):
    assert ask("request_record", "privacy.request_handling", "identity_proof") == "granted"
    assert ask("request_record", purpose, "identity_proof") == "prohibited"


def test_h7_kept_only_as_long_as_needed(ask, store):
    asked = ("visitor", "security.office_access")
    store.collected("visitor", 7, on=TODAY - timedelta(days=30))
    store.collected("visitor", 8, on=TODAY - timedelta(days=31))
    assert ask(*asked, subject=7) == "granted"
    assert ask(*asked, subject=8) == "retention_elapsed"
    assert ask(*asked, subject=9) == "evidence_unavailable"  # nobody knows since when
    assert ask(*asked, subject=8, operation="erase") == "granted"


def test_h8_the_supervisor_manages_joint_use_and_is_an_office(ask):
    """A title, never a person's name; it opens no access by itself."""
    assert POLICY.document.controller.supervisor == "Personal Information Protection Supervisor"
    asked = ("candidate", "recruitment.contact", "contact")
    assert ask(*asked, recipient="subsidiary") == "granted"
    assert ask("candidate", "recruitment.contact", "affiliation", recipient="subsidiary") == (
        "item_excess"
    )


ROWS = (
    *("p0", "p1", "p2", "p3", "p4", "p5", "h1", "h1_iv", "h2_i", "h2_ii_a", "h2_i_c_1"),
    *("h3_i_p1", "h3_i_p2", "h3_i", "h3_ii", "h3_iii", "h5", "h6_i", "h6_ii", "h6_iii"),
    *("h6_iv", "h6_v", "h7", "h8", "h9"),
)
"""The clauses of the policy that ask something of a program; H4 asks nothing."""


@pytest.mark.parametrize("row", ROWS)
def test_every_clause_has_a_test_of_its_name(row):
    """And one that permits and denies, as each of them here does."""
    assert any(re.match(rf"test_(p3_)?{row}_[a-z]", name) for name in globals())


def test_what_code_can_not_keep_is_listed_in_the_file():
    """P4, H4 and the like, each with a word on why."""
    listed = {clause for entry in POLICY.document.not_enforced for clause in entry.clauses}
    assert {"P4", "H4"} <= {clause.partition("(")[0] for clause in listed}
