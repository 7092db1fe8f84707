"""What is on record about people and customers: consents, mandates, requests, what is suspended."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends
from purposeguard import Policy
from purposeguard.subjects.requests import Requests
from purposeguard.subjects.sql import SqlSubjects
from purposeguard.subjects.statement import Statement, statement_of
from starlette.requests import HTTPConnection


@dataclass(frozen=True)
class Subjects:
    """The store, and what else is needed to answer people who ask about their own data."""

    policy: Policy
    store: SqlSubjects
    ledger: Path | None

    @property
    def requests(self) -> Requests:
        """Return what takes a person's request from its receipt to its answer."""
        return Requests(self.policy, self.store)

    def statement(self, category: str, subject: int) -> Statement:
        """Return what policy and store say about one person."""
        return statement_of(self.policy, self.store, [(category, subject)])


def of_app(connection: HTTPConnection) -> Subjects:
    """Return what the app that serves a request knows about people."""
    subjects: Subjects = connection.app.state.subjects
    return subjects


Known = Annotated[Subjects, Depends(of_app)]
