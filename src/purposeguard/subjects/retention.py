"""Which data has to go: nothing that the policy grants may use it any more. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from purposeguard.policy.matrix import Policy
from purposeguard.policy.periods import Retention


class KeptPerson(Protocol):
    """Somebody whose data was collected and is not erased, as a store has them."""

    @property
    def person(self) -> str:
        """The keyed hash of the person."""
        ...

    @property
    def collected(self) -> date:
        """The day of collection."""
        ...

    @property
    def contract_ended(self) -> date | None:
        """The day on which the contract ended, or None while it runs."""
        ...


@dataclass(frozen=True, slots=True)
class Due:
    """Data of one person of one category that must be erased."""

    category: str
    person: str
    collected: date
    last_day: date
    """The last day on which any purpose may have used it."""
    clauses: tuple[str, ...]


def rules(policy: Policy, category: str) -> tuple[Retention, ...] | None:
    """Return the retention rules of a category, or None where something may keep it for ever.

    Handling a person's request reaches what is there, and is no reason to keep it. Where nothing
    else is granted, its rule says how long the category is kept.
    """
    row = policy.rows[category]
    found: list[Retention] = []
    handled: list[Retention] = []
    for purpose, cell in row.cells.items():
        lineage = policy.lineages[purpose]
        asked = policy.document.requests
        handles = asked is not None and asked.purpose in lineage and asked.record != category
        if row.prohibition(lineage):
            continue
        if handles:
            handled += [cell.retention] if cell.retention else []
            continue
        if cell.retention is None:
            return None
        found.append(cell.retention)
    return tuple(dict.fromkeys(found or handled))


def due(policy: Policy, category: str, people: Iterable[KeptPerson], today: date) -> Iterator[Due]:
    """Yield whose data of a category must be erased by now.

    Data must go once no purpose that the policy grants may use it any more. Where a purpose has no
    period, or counts from the end of a contract that runs, it stays.
    """
    found = rules(policy, category)
    for each in people if found else ():
        last = [_last_day(rule, each) for rule in found or ()]
        until = max(last, default=None)
        if until is not None and until < today:
            clauses = dict.fromkeys(clause for rule in found or () for clause in rule.clauses)
            yield Due(category, each.person, each.collected, until, tuple(clauses))


def _last_day(rule: Retention, person: KeptPerson) -> date:
    if rule.counted_from == "collection":
        return rule.last_day(person.collected)
    return date.max if person.contract_ended is None else rule.last_day(person.contract_ended)
