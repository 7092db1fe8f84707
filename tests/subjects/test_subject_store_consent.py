"""Consent: for what it is given, and what a withdrawal takes back."""

import time
from datetime import UTC, date, datetime, timedelta

import pytest
from subject_kit import customer, day, facts_of, subject

from purposeguard.policy.access import Access
from purposeguard.policy.reasons import Finding, Need
from purposeguard.policy_file import parse_policy
from purposeguard.subjects.facts import Giver
from purposeguard.subjects.findings import evidence_for

PERSON = {"category": "candidate", "subject": 1}
POLICY = parse_policy("""\
purposeguard: 1
policy: consents
version: "1"
purposes:
  marketing: {title: Marketing}
  marketing.news: {title: News}
  marketing.events: {title: Events}
categories:
  candidate: {title: Candidates, items: [name]}
matrix:
  candidate:
    marketing: {clauses: [C1], needs: [consent_individual]}
prohibitions: []
recipients: {}
...
""")


def found(store, purpose):
    """Return what the person's consents come to for a purpose."""
    access = Access("candidate", purposes=(purpose,))
    facts = facts_of(store, subject(1))
    evidence = evidence_for(
        POLICY, access, (subject(1), None), facts, None, datetime.now(UTC).date()
    )
    return evidence.finding(Need.CONSENT_INDIVIDUAL)


def test_a_persons_consent(store):
    """It says all that was given."""
    store.consent_given(
        wording="terms-2024/3",
        proof="form:881",
        **PERSON,
        purpose="marketing.news",
        recipient="co_host",
        source="third_party",
        at=day(2),
    )
    [consent] = facts_of(store, subject(1)).consents
    assert consent.by is Giver.INDIVIDUAL
    assert (consent.purpose, consent.recipient) == ("marketing.news", "co_host")
    assert (consent.source, consent.category) == ("third_party", "candidate")
    assert (consent.wording, consent.proof) == ("terms-2024/3", "form:881")
    assert (consent.given, consent.withdrawn) == (day(2), None)


def test_a_customers_consent(store):
    """For all categories, or for one."""
    store.consent_given(by="customer", wording="v1", customer="acme", recipient="ad_distributors")
    store.consent_given(
        by=Giver.CUSTOMER, wording="v1", customer="acme", category="entrusted", purpose="marketing"
    )
    first, second = facts_of(store, customer("acme")).consents
    assert (first.by, first.category, first.recipient) == (
        Giver.CUSTOMER,
        None,
        "ad_distributors",
    )
    assert (second.category, second.purpose) == ("entrusted", "marketing")


def test_a_withdrawal_takes_back_every_consent_for_these_names(store):
    """And no other one."""
    for at in (1, 2):
        store.consent_given(wording=f"v{at}", **PERSON, purpose="marketing.news", at=day(at))
    store.consent_given(wording="v3", **PERSON, purpose="marketing", at=day(3))
    store.consent_given(
        wording="v4", **PERSON, purpose="marketing.news", recipient="co_host", at=day(4)
    )
    store.consent_withdrawn(**PERSON, purpose="marketing.news", at=day(5))
    withdrawn = {each.wording: each.withdrawn for each in facts_of(store, subject(1)).consents}
    assert withdrawn == {"v1": day(5), "v2": day(5), "v3": None, "v4": None}


def test_a_customers_withdrawal_is_for_the_same_category(store):
    """One for all categories stays, where the withdrawal is for one."""
    names = {"customer": "acme", "purpose": "marketing"}
    store.consent_given(by="customer", wording="v1", **names)
    store.consent_given(by="customer", wording="v2", category="entrusted", **names)
    store.consent_withdrawn(by="customer", category="entrusted", **names)
    withdrawn = {
        each.wording: each.withdrawn is not None
        for each in facts_of(store, customer("acme")).consents
    }
    assert withdrawn == {"v1": False, "v2": True}


def test_a_withdrawal_without_a_consent_is_kept(store):
    """It is a consent that was never in force."""
    store.consent_withdrawn(**PERSON, purpose="marketing.news", at=day(2))
    [consent] = facts_of(store, subject(1)).consents
    assert consent.withdrawn == consent.given == day(2)
    assert (consent.purpose, consent.category) == ("marketing.news", "candidate")
    assert consent.by is Giver.INDIVIDUAL


def test_a_consent_after_a_withdrawal_is_in_force(store):
    """Both stay on record."""
    for at, wording in ((1, "v1"), (3, "v2")):
        store.consent_given(wording=wording, **PERSON, purpose="marketing", at=day(at))
    store.consent_withdrawn(**PERSON, purpose="marketing", at=day(2))
    first, second = facts_of(store, subject(1)).consents
    assert (first.withdrawn, second.withdrawn) == (day(2), None)
    assert found(store, "marketing") is Finding.HELD


def test_a_narrow_withdrawal_beats_a_broad_consent_from_before_it(store):
    """Each time, also where the narrow one is withdrawn already."""
    store.consent_withdrawn(**PERSON, purpose="marketing.news", at=day(1))
    store.consent_given(wording="v1", **PERSON, purpose="marketing", at=day(2))
    assert found(store, "marketing.news") is Finding.HELD
    store.consent_withdrawn(**PERSON, purpose="marketing.news", at=day(3))
    assert found(store, "marketing.news") is Finding.WITHDRAWN
    assert found(store, "marketing.events") is Finding.HELD


@pytest.mark.parametrize("how", ["withdrawn", "erased"])
def test_a_consent_that_is_still_to_come_may_be_withdrawn(store, how):
    """Or end with an erasure: its day doesn't bring it back, and a newer one is in force."""
    soon = datetime.now(UTC) + timedelta(seconds=1)
    marketing = {**PERSON, "purpose": "marketing"}
    store.consent_given(wording="v1", **marketing, at=soon)
    store.consent_given(wording="v1", **PERSON, purpose="marketing.events", at=soon)
    if how == "withdrawn":
        store.consent_withdrawn(**marketing)
    else:
        store.erased("candidate", 1)
    while datetime.now(UTC) <= soon:
        time.sleep(0.05)
    assert found(store, "marketing.news") is Finding.WITHDRAWN
    assert found(store, "marketing.events") is Finding.WITHDRAWN
    store.consent_given(wording="v1", **marketing)
    assert found(store, "marketing.news") is Finding.HELD


def test_a_withdrawal_noted_late_leaves_later_consents_alone(store):
    """It is older than they are, whenever it was written."""
    marketing = {**PERSON, "purpose": "marketing"}
    store.consent_given(wording="v1", **marketing, at=day(5))
    store.consent_withdrawn(**marketing, at=day(1))
    assert found(store, "marketing.news") is Finding.HELD


def test_consents_end_with_erasure(store):
    """What is collected anew needs a new one."""
    store.consent_given(wording="v1", **PERSON, purpose="marketing", at=day(1))
    store.erased(**PERSON, at=day(2))
    store.collected(**PERSON, on=date(2024, 1, 4))
    assert found(store, "marketing") is Finding.WITHDRAWN
    store.consent_given(wording="v2", **PERSON, purpose="marketing", at=day(5))
    assert found(store, "marketing") is Finding.HELD


@pytest.mark.parametrize("name", ["purpose", "recipient", "source"])
def test_a_consent_may_be_for_one_name_alone(store, name):
    """Withdrawn by the same."""
    store.consent_given(wording="v1", **PERSON, **{name: "third_party"})
    store.consent_withdrawn(**PERSON, **{name: "third_party"})
    [consent] = facts_of(store, subject(1)).consents
    assert getattr(consent, name) == "third_party"
    assert consent.withdrawn is not None


@pytest.mark.parametrize(
    "more",
    [
        {"purpose": "marketing"},
        {"purpose": "marketing.news"},
        {"recipient": "co_host"},
        {"purpose": "marketing", "recipient": "co_host"},
    ],
)
def test_a_withdrawal_for_more_takes_back_what_is_still_to_come(store, more):
    """One for something else doesn't."""
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    names = {"purpose": "marketing.news", "recipient": "co_host"}
    store.consent_given(wording="v1", **PERSON, **names, at=soon)
    store.consent_given(wording="v1", **PERSON, purpose="marketing.newsletter", at=soon)
    store.consent_withdrawn(**PERSON, **more)
    while datetime.now(UTC) <= soon:
        time.sleep(0.05)
    made = {each.purpose: each for each in facts_of(store, subject(1)).consents if each.wording}
    assert made["marketing.news"].withdrawn is not None
    assert (made["marketing.newsletter"].withdrawn is None) == (more != {"purpose": "marketing"})
