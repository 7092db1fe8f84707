"""What is on record about one person or customer: values, as a store returns them."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum


class Giver(StrEnum):
    """Who has given a consent."""

    CUSTOMER = "customer"
    INDIVIDUAL = "individual"


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """A consent, in force until it is withdrawn.

    It says for what: a purpose (and its children), a recipient (a class with its members, or one
    member), a source, or several of them, which must all fit. To give data away it has to name the
    recipient, unless the purpose is nothing but that (H3(i)p1, p2 of SmartHR's policy). A
    withdrawal stops what is for more as well. A customer's consent may be for one category only; a
    person's is for the category in which they are recorded.

    A withdrawal alone, of what nobody had agreed to, is a consent whose `given` is its `withdrawn`,
    with no wording.
    """

    by: Giver
    purpose: str | None = None
    recipient: str | None = None
    source: str | None = None
    category: str | None = None
    given: datetime
    withdrawn: datetime | None = None
    wording: str
    """Which version of the text they agreed to."""
    proof: str | None = None
    """Where the proof of it is kept, a number of a form for example: never personal data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A data-subject request that is being handled, or was."""

    id: int
    kind: str
    form: str
    """The form that it came in: `prescribed` or another one."""
    received: datetime
    verified: datetime | None = None
    """When it was made sure that it comes from that person."""
    authorised: datetime | None = None
    """When the customer who entrusted the data has authorised it."""
    authorised_by: str | None = None
    """The keyed hash of that customer."""
    outcome: str | None = None
    closed: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything on record about one person of one category, or about one customer."""

    consents: tuple[Consent, ...] = ()
    requests: tuple[Request, ...] = ()
    use_suspended: bool = False
    provision_suspended: bool = False
    erased: bool = False
    collected: date | None = None
    mandate: bool = False
    """Of a customer: whether their mandate for entrusted data is in force."""
    contract_ended: date | None = None


NOTHING = Facts()
"""Nothing is on record."""
