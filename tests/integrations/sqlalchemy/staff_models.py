"""The same tables as mapped classes, and one more guarded only where it is queried."""

from typing import Annotated

from sqlalchemy import ForeignKey, MetaData, func
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    mapped_column,
    relationship,
)

from purposeguard.integrations.sqlalchemy import tag

Contact = Annotated[str, mapped_column(info=tag("candidate", "contact"))]


class Base(DeclarativeBase):
    metadata = MetaData()


class Job(Base):
    __tablename__ = "jobs"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    candidates: Mapped[list["Candidate"]] = relationship(back_populates="job")


class Candidate(Base):
    __tablename__ = "candidates"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(info=tag("candidate", "name"))
    email: Mapped[Contact | None] = mapped_column(unique=True)
    history: Mapped[str | None] = mapped_column(info=tag("candidate", "work_history"))
    job_id: Mapped[int | None] = mapped_column(ForeignKey("jobs.id"))
    job: Mapped[Job | None] = relationship(back_populates="candidates")
    hired: Mapped["Employee | None"] = relationship(back_populates="candidate")

    @hybrid_property
    def shout(self):
        """The name in capitals."""
        return self.name.upper()

    @shout.inplace.expression
    @classmethod
    def _shout(cls):
        return func.upper(cls.name)


class Employee(Base):
    __tablename__ = "employees"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(info=tag("employee", "name"))
    salary: Mapped[int | None] = mapped_column(info=tag("employee", "salary"), deferred=True)
    candidate_id: Mapped[int | None] = mapped_column(ForeignKey("candidates.id"))
    candidate: Mapped[Candidate | None] = relationship(back_populates="hired")


Employee.rich = column_property(Employee.salary > 1000, deferred=True)
