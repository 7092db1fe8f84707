"""What writers are given, checked: names of data, references, times and people, and no data."""

import re
from datetime import UTC, date, datetime

from purposeguard.exceptions import SubjectStoreError
from purposeguard.policy.names import exact, is_key, printable
from purposeguard.subjects.keys import SubjectKey, is_identifier
from purposeguard.subjects.sql.events import Kind, Person, Role

_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/#-]{0,127}")
_YEARS = range(1900, 9000)
_EFFECTS = (Kind.USE_SUSPENDED, Kind.PROVISION_SUSPENDED, Kind.ERASED)
_DAY = 86_400.0


def subject_key(key: bytes) -> SubjectKey:
    """Return the key that people are hashed with."""
    try:
        return SubjectKey(key)
    except (TypeError, ValueError) as error:  # it tells lengths only
        raise SubjectStoreError(str(error)) from None


def seconds(value: float, what: str, *, least: float) -> float:
    """Return a number of seconds that is at least so many, and a day at most."""
    if type(value) not in (int, float) or not least <= value <= _DAY:  # `nan` is not either
        raise SubjectStoreError(f"`{what}` is a number of seconds, {least:g} to {_DAY:g}")
    return float(value)


def name(value: object, what: str) -> str:
    """Return the name of something in a policy, or a key of one's own."""
    text = exact(value)
    if text is None or not is_key(text):
        raise SubjectStoreError(
            f"the {what} is {printable(value)}: use a key of lower-case letters, digits and `_`"
        )
    return text


def reference(value: object, what: str) -> str:
    """Return a reference, a version or a number of a form for example.

    It has no blanks and no `@`, so that no name and no address passes for one.
    """
    text = exact(value)
    if text is None or _REFERENCE.fullmatch(text) is None:
        raise SubjectStoreError(
            f"`{what}` is a reference of at most 128 letters, digits and `._:/#-`: "
            "keep the text elsewhere and refer to it"
        )
    return text


def moment(at: object, what: str = "at") -> datetime | None:
    """Return a time in UTC, None for now."""
    if at is None:
        return None
    if not isinstance(at, datetime):
        raise SubjectStoreError(f"`{what}` is a time: use for example `datetime.now(UTC)`")
    if at.utcoffset() is None:
        raise SubjectStoreError(f"`{what}` has no time zone: use for example `datetime.now(UTC)`")
    _dated(at, what)
    return at.astimezone(UTC)


def day(on: object) -> date:
    """Return a calendar day."""
    if not isinstance(on, date) or isinstance(on, datetime):
        raise SubjectStoreError("`on` is a day: use for example `date(2026, 4, 1)`")
    _dated(on, "on")
    return on


def _dated(value: date, what: str) -> None:
    if value.year not in _YEARS:
        raise SubjectStoreError(f"`{what}` is before 1900 or after 8999: correct it")


def effect(value: object) -> tuple[Kind, ...]:
    """Return what an answer brings about, if anything."""
    if value is None:
        return ()
    text = exact(value)
    if text not in _EFFECTS:
        raise SubjectStoreError(
            f"an answer can't bring about {printable(value)}: use `use_suspended`, "
            "`provision_suspended` or `erased`"
        )
    return (Kind(text),)


def request_id(value: object) -> int:
    """Return the id of a request."""
    if type(value) is not int:
        raise SubjectStoreError("a request is named by the id that `request_received` returned")
    return value


def subject_of(key: SubjectKey, category: object, subject: object) -> Person:
    """Return a person of one category."""
    category = name(category, "category")
    return Person(
        key=_hashed(key, f"subject:{category}", subject, "subject"),
        role=Role.SUBJECT,
        category=category,
    )


def customer_of(key: SubjectKey, customer: object) -> Person:
    """Return a customer."""
    return Person(
        key=_hashed(key, "customer", customer, "customer"), role=Role.CUSTOMER, category=None
    )


def either(key: SubjectKey, category: object, subject: object, customer: object) -> Person:
    """Return the one who is named: a subject with their category, or a customer."""
    if customer is None and category is not None and subject is not None:
        return subject_of(key, category, subject)
    if customer is not None and category is None and subject is None:
        return customer_of(key, customer)
    raise SubjectStoreError("name one person: give `category` and `subject`, or `customer` alone")


def actor_of(key: SubjectKey, actor: object) -> str | None:
    """Return the keyed hash of who acts, None where nobody does."""
    return None if actor is None else _hashed(key, "actor", actor, "actor")


def _hashed(key: SubjectKey, kind: str, value: object, what: str) -> str:
    if not is_identifier(value):
        raise SubjectStoreError(f"the {what} is no `str`, `int` or `UUID`: give what identifies it")
    try:
        return key.hash(kind, value)
    except ValueError:
        raise SubjectStoreError(
            f"the {what} is a number of too many digits: give what identifies it"
        ) from None
