"""What clients are sent: a response holds these fields, and no others."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class Response(BaseModel):
    """What responses have in common: they are made from rows."""

    model_config = ConfigDict(from_attributes=True)


class Applicant(Response):
    """Somebody who applies for a job, to be judged."""

    id: int
    name: str
    work_history: str


class Profile(Applicant):
    """All that is held about a candidate."""

    affiliation: str
    contact: str


class Experience(Response):
    """How much experience those who apply for a job have, on average."""

    job: str
    years: float


class Contact(Response):
    """Who somebody is, and how to reach them."""

    name: str
    contact: str


class Enquirer(Contact):
    """Who asks, and what."""

    topic: str
    affiliation: str


class Recommendation(Response):
    """What may be useful to somebody."""

    recommended: str


class Participant(Response):
    """Somebody who takes part in an event. Fields that a purpose may not see are left out."""

    id: int
    name: str
    affiliation: str
    contact: str
    usage_log: str | None = None


class UsageLog(Response):
    """What somebody did in the service."""

    id: int
    usage_log: str


class Visitor(Response):
    """Somebody who is expected."""

    id: int
    name: str
    affiliation: str


class Content(Response):
    """Something that a customer has entrusted."""

    id: int
    content: str


class PayRun(Response):
    """What a customer's employees are paid in all."""

    customer_id: int
    people: int
    shells: int


class Mailing(Response):
    """How many were written to."""

    sent: int


class Received(Response):
    """The number of a request that has come in."""

    request: int


class Verified(Response):
    """How many requests were verified."""

    verified: int


class Effects(Response):
    """What an accepted request has come to."""

    effects: list[str]


class Use(Response):
    """What the policy grants about somebody, and whether it holds for them now."""

    purpose: str
    to: str | None
    items: tuple[str, ...]
    now: str


class Access(Response):
    """One use of somebody's data, as the ledger has it."""

    time: datetime
    purposes: tuple[str, ...]
    reason: str


class Report(Response):
    """What a person is told."""

    held: list[Profile]
    uses: list[Use]
    accesses: list[Access]
