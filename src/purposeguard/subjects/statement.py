"""What people are told when they ask: what is on record, and what their data may be used for.

It holds no identifier and no hash of anybody else. When their data was used, a ledger tells.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, NamedTuple

from purposeguard.policy.access import Access, Evidence
from purposeguard.policy.decide import Decision, decide
from purposeguard.policy.matrix import Policy, Recipient
from purposeguard.policy.reasons import RANK, Need, Reason
from purposeguard.subjects.facts import NOTHING, Facts
from purposeguard.subjects.findings import evidence_for
from purposeguard.subjects.keys import Identifier
from purposeguard.subjects.known import known

if TYPE_CHECKING:
    from purposeguard.subjects.sql import SqlSubjects


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A purpose that the policy grants: a use within, or one recipient who may be given data."""

    purpose: str
    title: str
    recipient: str | None
    """None for a use within."""
    items: tuple[str, ...]
    """What the policy lets be used or given."""
    clauses: tuple[str, ...]
    needs: tuple[Need, ...]
    """What has to be on record for it."""
    now: Decision
    """What using all these items for this person comes to on that day."""
    items_now: tuple[str, ...]
    """Those that may be used on that day, each by itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One category in which the person is asked for."""

    category: str
    title: str
    person: str
    """Their keyed hash."""
    facts: Facts
    uses: tuple[Use, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """Everything about one person that a policy and a store can tell."""

    policy: Policy
    day: date
    key_id: str
    """The id of the key that the hashes are made with."""
    with_customer: bool
    """Whether it was said whose customer's data it is; else some needs can't be told."""
    parts: tuple[Part, ...]


def statement_of(
    policy: Policy,
    store: "SqlSubjects",
    people: Iterable[tuple[str, Identifier]],
    today: date | None = None,
    *,
    customer: Identifier | None = None,
) -> Statement:
    """Return what there is about one person: their identifier in each category asked for.

    What is on record is that of now; `today`, by default the day in UTC, is what periods and
    supervision are judged by. `customer` is the one whose mandate or consent counts.

    Raises UnknownNameError for a category that the policy lacks, and what the store raises.
    """
    asked = list(people)
    for category, _ in asked:
        known("category", category, policy.rows)
    hashed = dict.fromkeys(
        (category, store.hashed(category=category, subject=subject)) for category, subject in asked
    )
    of_customer = None if customer is None else store.hashed(customer=customer)
    found = store.facts({*(person for _, person in hashed), *filter(None, [of_customer])})
    beside = _Beside(
        of_customer,
        None if of_customer is None else found.get(of_customer, NOTHING),
        today or datetime.now(UTC).date(),
    )
    parts = (
        _part(policy, category, person, found.get(person, NOTHING), beside)
        for category, person in hashed
    )
    return Statement(
        policy=policy,
        day=beside.today,
        key_id=store.key_id,
        with_customer=of_customer is not None,
        parts=tuple(parts),
    )


class _Beside(NamedTuple):
    """What decides beside the person: their customer, if one is named, and the day."""

    customer: str | None
    facts: Facts | None
    today: date


def _part(policy: Policy, category: str, person: str, facts: Facts, beside: _Beside) -> Part:
    def now(access: Access) -> Decision:
        pair = (person, beside.customer)
        evidence = evidence_for(policy, access, pair, facts, beside.facts, beside.today)
        return decide(policy, access, evidence)

    uses = []
    for granted in _granted(policy, category):
        access = granted.access
        each = {item: now(replace(access, items=(item,))) for item in access.items or ()}
        uses.append(
            Use(
                purpose=access.purposes[0],
                title=policy.document.purposes[access.purposes[0]].title,
                recipient=access.recipient,
                items=access.items or (),
                clauses=granted.clauses,
                needs=granted.needs,
                now=now(access),
                items_now=tuple(item for item, decision in each.items() if decision.permitted),
            )
        )
    # Who has authorised a request is the hash of somebody else.
    told = tuple(replace(request, authorised_by=None) for request in facts.requests)
    return Part(
        category=category,
        title=policy.document.categories[category].title,
        person=person,
        facts=replace(facts, requests=told),
        uses=tuple(uses),
    )


class _Granted(NamedTuple):
    access: Access
    clauses: tuple[str, ...]
    needs: tuple[Need, ...]


def _granted(policy: Policy, category: str) -> Iterator[_Granted]:
    """Everything that the policy grants of a category, uses within first."""
    row = policy.rows[category]
    listed = (each for each in policy.recipients.values() if category in each.provisions)
    for recipient in (None, *listed):
        for purpose, lineage in policy.lineages.items():
            if row.cells.keys().isdisjoint(lineage):
                continue
            answers = {
                item: decision
                for item in row.items
                if RANK[(decision := _alone(policy, category, purpose, recipient, item)).reason]
                >= RANK[Reason.USE_SUSPENDED]
            }
            if answers:
                key = None if recipient is None else recipient.key
                items = tuple(answers)
                yield _Granted(
                    Access(category, purposes=(purpose,), items=items, recipient=key),
                    tuple(dict.fromkeys(c for each in answers.values() for c in each.clauses)),
                    tuple(dict.fromkeys(n for each in answers.values() for n in each.unmet)),
                )


def _alone(
    policy: Policy, category: str, purpose: str, recipient: Recipient | None, item: str
) -> Decision:
    """What the policy alone says of one item: where it grants it, all that it needs is unmet."""
    # As of a day on which the recipient's supervision counts: whether it does today is for `now`.
    day = None if recipient is None else recipient.supervised_until
    key = None if recipient is None else recipient.key
    access = Access(category, purposes=(purpose,), items=(item,), recipient=key)
    return decide(policy, access, Evidence(today=day))
