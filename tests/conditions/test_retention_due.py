"""`purposeguard retention due`: what has to go, and what may stay."""

import json
from datetime import date, timedelta

import pytest

from cli.command_line import run
from purposeguard.policy_file import parse_policy
from purposeguard.subjects.keys import SubjectKey
from purposeguard.subjects.retention import rules
from purposeguard.subjects.sql import SqlSubjects

KEY = "a key of the tests, no secret"
TODAY = date(2026, 11, 25)
POLICY = """\
purposeguard: 1
policy: kept
version: "1"
purposes:
  care: {title: Care}
  bill: {title: Bills}
  news: {title: News}
  requests: {title: Requests}
categories:
  patient: {title: Patients, items: [name]}
  customer: {title: Customers, items: [name]}
  visitor: {title: Visitors, items: [name]}
  letter: {title: Letters, items: [text]}
matrix:
  patient:
    care: {clauses: [A1]}
    bill:
      clauses: [A2]
      retention: {period: P2Y, counted_from: collection, clauses: [A3]}
    news: {clauses: [A4]}
    requests: {clauses: [R1], needs: [verified_request]}
  customer:
    care:
      clauses: [B1]
      retention: {period: P30D, counted_from: contract_end}
    bill:
      clauses: [B2]
      retention: {period: P1Y, counted_from: collection}
  visitor:
    care: {clauses: [C1]}
    bill:
      clauses: [C2]
      retention: {period: P1D, counted_from: collection}
  letter:
    requests: {clauses: [R2]}
prohibitions:
  - {category: patient, purpose: news, clauses: [A5]}
retention:
  patient: {period: P1Y, counted_from: collection, clauses: [A6]}
requests:
  purpose: requests
  record: letter
  clauses: [R3]
  kinds: {erasure: {title: Erase, clauses: [R4]}}
...
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """Return the policy's file and a store's address, with the key where the command looks."""
    monkeypatch.setenv("PURPOSEGUARD_SUBJECT_KEY", KEY)
    (tmp_path / "policy.yaml").write_text(POLICY)
    return tmp_path / "policy.yaml", f"sqlite:///{tmp_path / 'people.db'}"


def hashed(category, value):
    return SubjectKey(KEY.encode()).hash(f"subject:{category}", value)


def listed(place, *more):
    """Return what is due, as (category, person, last day), and the exit status."""
    result = run("retention", "due", *place, "--today", TODAY, "--format", "json", *more)
    found = [json.loads(line) for line in result.lines]
    return [(each["category"], each["person"], each["last_day"]) for each in found], result.status


def test_what_no_purpose_may_use_any_more_is_due(place):
    """The last day of the longest period counts; the one that is prohibited keeps nothing."""
    with SqlSubjects(place[1], key=KEY.encode()) as store:
        store.collected("patient", 1, on=date(2024, 11, 24))  # two years and a day ago
        store.collected("patient", 2, on=date(2024, 11, 25))  # its last day is today
        store.collected("patient", 3, on=TODAY)
        assert listed(place) == ([("patient", hashed("patient", 1), "2026-11-24")], 1)
        store.erased("patient", 1)
        assert listed(place) == ([], 0)
        store.collected("patient", 1, on=TODAY)
    assert listed(place) == ([], 0)


def test_a_contract_that_runs_keeps_data(place):
    """Its end begins the period."""
    with SqlSubjects(place[1], key=KEY.encode()) as store:
        for number in (1, 2, 3):
            store.collected("customer", number, on=date(2020, 1, 1))
        assert listed(place) == ([], 0)
        store.contract_ended(category="customer", subject=1, on=TODAY - timedelta(days=30))
        assert listed(place) == ([], 0)
        store.contract_ended(category="customer", subject=2, on=TODAY - timedelta(days=31))
    assert listed(place) == ([("customer", hashed("customer", 2), "2026-11-24")], 1)
    assert listed(place, "--category", "patient") == ([], 0)


def test_a_purpose_without_a_period_keeps_data(place):
    """And the command says so."""
    with SqlSubjects(place[1], key=KEY.encode()) as store:
        store.collected("visitor", 1, on=date(2000, 1, 1))
        store.collected("letter", 1, on=date(2000, 1, 1))
    result = run("retention", "due", *place)
    assert result.status == 0
    assert "nothing has to be erased" in result.out
    assert "no period ends visitor, letter" in result.out


def test_the_text_names_people_by_hash_only(place):
    """And the clauses."""
    with SqlSubjects(place[1], key=KEY.encode()) as store:
        store.collected("patient", "ada@example.com", on=date(2000, 1, 1))
    result = run("retention", "due", *place)
    assert result.status == 1
    person = hashed("patient", "ada@example.com")
    line = f"patient  {person}  collected 2000-01-01, kept until 2002-01-01 (A3, A6)"
    assert result.lines[0] == line
    assert "1 person's data must be erased" in result.out
    assert "ada" not in result.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--category", "pateint"), "did you mean `patient`?"),
        (("--today", "yesterday"), "is no day"),
        (("--key-file", "/nowhere/key"), "can't be read"),
    ],
)
def test_what_can_not_be_asked_is_said_in_one_line(place, arguments, message):
    """Exit status 2."""
    result = run("retention", "due", *place, *arguments)
    assert result.status == 2
    assert message in result.err


def test_without_the_key_or_with_another_one(place, monkeypatch):
    """Exit status 2 and the fix."""
    SqlSubjects(place[1], key=KEY.encode()).close()
    monkeypatch.setenv("PURPOSEGUARD_SUBJECT_KEY", "another key of the tests")
    result = run("retention", "due", *place)
    assert (result.status, result.err.count("\n")) == (2, 1)
    monkeypatch.delenv("PURPOSEGUARD_SUBJECT_KEY")
    result = run("retention", "due", *place)
    assert result.status == 2
    assert "set `PURPOSEGUARD_SUBJECT_KEY`, or name a --key-file" in result.err


def test_migrate(place, tmp_path):
    """A database is made, or brought up to date; nothing else is changed."""
    key = tmp_path / "key"
    key.write_text(f"{KEY}\n")
    for _ in range(2):
        result = run("subject", "migrate", place[1], "--key-file", key)
        assert (result.status, result.err) == (0, "")
    with SqlSubjects(place[1], key=KEY.encode()) as store:
        store.collected("patient", 1, on=TODAY)
    assert run("subject", "migrate", place[1]).status == 0
    with SqlSubjects(place[1], key=KEY.encode()) as store:
        assert len(store.facts([hashed("patient", 1)])) == 1
    assert run("subject", "migrate", "nonsense").status == 2


def test_rules_by_hand():
    """Each granted purpose's own period, or else the category's."""
    policy = parse_policy(POLICY, "policy.yaml")
    assert [(each.months, each.days) for each in rules(policy, "patient")] == [(24, 0), (12, 0)]
    assert rules(policy, "visitor") is None
    assert rules(policy, "letter") is None
    assert [each.counted_from for each in rules(policy, "customer")] == [
        "collection",
        "contract_end",
    ]
