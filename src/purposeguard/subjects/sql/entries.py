"""Entries of several parts, from what writers are given."""

from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple

from purposeguard.exceptions import SubjectStoreError
from purposeguard.policy.names import exact, printable
from purposeguard.subjects.facts import Giver
from purposeguard.subjects.keys import SubjectKey
from purposeguard.subjects.sql import checks
from purposeguard.subjects.sql.events import Entry, Kind, Person


class GivenBy(NamedTuple):
    """Who gives a consent, and the one category that a customer's is for, if there is one."""

    giver: Giver
    person: Person
    category: str | None = None


def giver(
    key: SubjectKey, by: object, category: object, subject: object, customer: object
) -> GivenBy:
    """Return who gives a consent."""
    if exact(by) == Giver.INDIVIDUAL:
        if category is None or subject is None or customer is not None:
            raise SubjectStoreError(
                "a consent by `individual` is a person's: give `category` and `subject` alone"
            )
        return GivenBy(Giver.INDIVIDUAL, checks.subject_of(key, category, subject))
    if exact(by) == Giver.CUSTOMER:
        if customer is None or subject is not None:
            raise SubjectStoreError(
                "a consent by `customer` is a customer's: give `customer`, and no `subject`"
            )
        within = None if category is None else checks.name(category, "category")
        return GivenBy(Giver.CUSTOMER, checks.customer_of(key, customer), within)
    raise SubjectStoreError(
        f"a consent is given by `individual` or `customer`, not by {printable(by)}"
    )


def consent(
    kind: Kind,
    by: GivenBy,
    names: Mapping[str, object],
    details: Mapping[str, str],
    at: object,
) -> Entry:
    """Return a consent or its withdrawal, for those of the names that are given."""
    given = {what: checks.name(each, what) for what, each in names.items() if each is not None}
    if not given:
        raise SubjectStoreError(
            "a consent is for something: give a `purpose`, `recipient` or `source`"
        )
    return Entry(
        person=by.person,
        kind=kind,
        at=checks.moment(at),
        category=by.category,
        details={"by": by.giver.value, **given, **details},
    )


def collected(key: SubjectKey, category: object, subject: object, on: object) -> Entry:
    """Return that a person's data was collected, on a day or at a time of one."""
    person = checks.subject_of(key, category, subject)
    if not isinstance(on, datetime):
        return on_day(Kind.COLLECTED, person, on)
    at = checks.moment(on, "on")
    return Entry(
        person=person,
        kind=Kind.COLLECTED,
        at=at,
        details={"on": on.date().isoformat(), "at": on.timetz().isoformat()},
    )


def on_day(kind: Kind, person: Person, on: object) -> Entry:
    """Return an event of a day."""
    day = checks.day(on)
    return Entry(person=person, kind=kind, at=day, details={"on": day.isoformat()})
