"""The tables. A column that holds personal data says whose, and what, in the policy's words."""

from purposeguard.integrations.sqlalchemy import tag
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """What the tables have in common."""


class Job(Base):
    """An opening."""

    __tablename__ = "jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]


class Candidate(Base):
    """Somebody who applies for a job."""

    __tablename__ = "candidates"

    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(ForeignKey("jobs.id"))
    name: Mapped[str] = mapped_column(info=tag("candidate", "name"))
    affiliation: Mapped[str] = mapped_column(info=tag("candidate", "affiliation"))
    contact: Mapped[str] = mapped_column(info=tag("candidate", "contact"))
    work_history: Mapped[str] = mapped_column(info=tag("candidate", "work_history"))


class CustomerAdmin(Base):
    """An administrator of a customer."""

    __tablename__ = "customer_admins"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    name: Mapped[str] = mapped_column(info=tag("customer_admin", "name"))
    affiliation: Mapped[str] = mapped_column(info=tag("customer_admin", "affiliation"))
    contact: Mapped[str] = mapped_column(info=tag("customer_admin", "contact"))
    usage_log: Mapped[str] = mapped_column(info=tag("customer_admin", "usage_log"))


class Inquiry(Base):
    """A question of an administrator, who is named by number only."""

    __tablename__ = "inquiries"

    id: Mapped[int] = mapped_column(primary_key=True)
    admin_id: Mapped[int] = mapped_column(ForeignKey("customer_admins.id"))
    customer_id: Mapped[int]
    topic: Mapped[str]


class EventParticipant(Base):
    """Somebody who takes part in an event."""

    __tablename__ = "event_participants"

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int]
    name: Mapped[str] = mapped_column(info=tag("event_participant", "name"))
    affiliation: Mapped[str] = mapped_column(info=tag("event_participant", "affiliation"))
    contact: Mapped[str] = mapped_column(info=tag("event_participant", "contact"))
    usage_log: Mapped[str] = mapped_column(info=tag("event_participant", "usage_log"))


class Visitor(Base):
    """Somebody who is expected at the office."""

    __tablename__ = "visitors"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(info=tag("visitor", "name"))
    affiliation: Mapped[str] = mapped_column(info=tag("visitor", "affiliation"))
    contact: Mapped[str] = mapped_column(info=tag("visitor", "contact"))


class Entrusted(Base):
    """What a customer entrusts about its employees."""

    __tablename__ = "entrusted"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    content: Mapped[str] = mapped_column(info=tag("entrusted", "content"))


class RequestRecord(Base):
    """What somebody asks about their own data. `number` is that of the store of subjects."""

    __tablename__ = "requests"

    id: Mapped[int] = mapped_column(primary_key=True)
    candidate_id: Mapped[int] = mapped_column(ForeignKey("candidates.id"))
    number: Mapped[int]
    request: Mapped[str] = mapped_column(info=tag("request_record", "request"))
    identity_proof: Mapped[str | None] = mapped_column(info=tag("request_record", "identity_proof"))


class Mail(Base):
    """Stands in for a mail server: what is here has left."""

    __tablename__ = "outbox"

    id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str]
    text: Mapped[str]
