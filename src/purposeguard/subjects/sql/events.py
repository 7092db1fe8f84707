"""What the store keeps and gives out: values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from purposeguard.subjects.facts import Request

EAST, WEST = timedelta(hours=14), timedelta(hours=12)
"""How much earlier and later than in UTC a day begins elsewhere."""


class Role(StrEnum):
    """What a person on record is."""

    SUBJECT = "subject"
    CUSTOMER = "customer"


class Kind(StrEnum):
    """What an event says."""

    CONSENT_GIVEN = "consent_given"
    CONSENT_WITHDRAWN = "consent_withdrawn"
    COLLECTED = "collected"
    CONTRACT_ENDED = "contract_ended"
    CONTRACT_RESUMED = "contract_resumed"
    MANDATE_GIVEN = "mandate_given"
    MANDATE_ENDED = "mandate_ended"
    REQUEST_RECEIVED = "request_received"
    REQUEST_VERIFIED = "request_verified"
    REQUEST_AUTHORISED = "request_authorised"
    REQUEST_ANSWERED = "request_answered"
    USE_SUSPENDED = "use_suspended"
    USE_RESUMED = "use_resumed"
    PROVISION_SUSPENDED = "provision_suspended"
    PROVISION_RESUMED = "provision_resumed"
    ERASED = "erased"


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Whom an event is about."""

    key: str
    """Their keyed hash."""
    role: Role
    category: str | None
    """Of a subject: the category in which they are recorded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event that is to be written."""

    person: Person
    kind: Kind
    at: datetime | date | None = None
    """When it holds from: a time, a day, or None for now."""
    category: str | None = None
    """Of a customer's consent: the one category that it is for."""
    request: int | None = None
    details: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event on record. It is never changed or removed."""

    id: int
    person: str
    """The keyed hash of whom it is about."""
    role: Role
    category: str | None
    """A subject's category, or the one that a customer's consent is for."""
    kind: str
    at: datetime
    """When it holds from, UTC."""
    recorded: datetime
    """When it was written, UTC."""
    actor: str | None
    """The keyed hash of who has written it."""
    request: int | None
    """The id of the request that it belongs to."""
    details: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """Names of data, days and references, never data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRequest:
    """A data-subject request that is not answered yet."""

    person: str
    """The keyed hash of whose request it is."""
    category: str
    request: Request


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Somebody whose data was collected and is not erased."""

    person: str
    """Their keyed hash."""
    category: str
    collected: date
    contract_ended: date | None
