"""The accesses to one person's data that a ledger holds, and what it can't tell about them."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from purposeguard.queries.report import PERMIT, sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OBSERVE = "observe"

OF_SOMEBODY = frozenset(
    {
        "use_suspended",
        "provision_suspended",
        "retention_elapsed",
        "mandate_missing",
        "request_missing",
        "ground_not_accepted",
        "consent_withdrawn",
        "consent_missing",
        "evidence_unavailable",
    }
)
"""Reasons that are about one of the people whom an access names."""


@dataclass(frozen=True, slots=True)
class PersonAccess:
    """One access to the data of the person asked for."""

    time: datetime
    category: str
    items: tuple[str, ...] | None
    """None: all of them."""
    purposes: tuple[str, ...]
    """Those in force, outermost first."""
    operation: str
    recipient: str
    source: str
    clauses: tuple[str, ...]
    ground: str
    outcome: str
    reason: str
    """Empty where it is about people, and may be about somebody else whom the access named."""
    mode: str
    service: str
    refused: bool
    """Whether it was refused, permitted or not, since it could not be recorded."""
    with_others: bool
    """Whether it named somebody else as well."""

    @property
    def permitted(self) -> bool:
        """Whether the policy said yes."""
        return self.outcome == PERMIT

    @property
    def released(self) -> bool:
        """Whether it went on: permitted, or only observed; never where it was refused."""
        return not self.refused and (self.permitted or self.mode == OBSERVE)


@dataclass(frozen=True, slots=True)
class Untold:
    """What one segment may hold about the person, and can't tell; and what it lacks."""

    segment: str
    nobody: int
    """Accesses to data of their categories that name nobody."""
    other_key: int
    """Those that name people under another key than the one asked with, or under none."""
    lost: int
    """Accesses of any category that went on without a record."""
    refused: int
    """Accesses of any category that were refused since they could not be recorded."""
    broken: int
    """Lines that can't be read."""


def person_accesses(
    connection: "DuckDBPyConnection", people: Iterable[tuple[str, str]], key_id: str
) -> tuple[list[PersonAccess], list[Untold]]:
    """Return the accesses to a person's data, oldest first, and what each segment can't tell.

    `people` are the person's keyed hashes, each with its category; `key_id` is the id of the key
    that they were made with.
    """
    by_category: dict[str, list[str]] = {}
    for category, person in people:
        by_category.setdefault(category, []).append(person)
    connection.execute(
        # As ClickHouse has it, where it is never NULL.
        "CREATE TEMP MACRO hasAny(these, those) AS COALESCE(list_has_any(these, those), FALSE)"
    )
    connection.execute(
        "CREATE TEMP MACRO hasAll(these, those) AS COALESCE(list_has_all(these, those), FALSE)"
    )
    connection.execute(
        "CREATE TEMP TABLE asked (category VARCHAR, people VARCHAR[], people_key VARCHAR)"
    )
    for category, hashes in by_category.items():
        connection.execute("INSERT INTO asked VALUES (?, ?, ?)", [category, hashes, key_id])
    accesses = [_access(*row) for row in connection.execute(sql("person")).fetchall()]
    return accesses, [Untold(*row) for row in connection.execute(sql("untold")).fetchall()]


def _access(*row: Any) -> PersonAccess:
    made = PersonAccess(*row)
    return replace(
        made,
        items=_texts(made.items) or None,
        purposes=_texts(made.purposes),
        clauses=_texts(made.clauses),
        refused=bool(made.refused),
        with_others=bool(made.with_others),
        reason="" if made.with_others and made.reason in OF_SOMEBODY else made.reason,
    )


def _texts(values: Iterable[str | None] | None) -> tuple[str, ...]:
    """A list as a tuple: in a damaged ledger it may hold nulls."""
    return tuple("" if each is None else each for each in values or ())
