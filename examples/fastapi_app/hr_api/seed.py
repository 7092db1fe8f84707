"""Made-up people, put in as migrations are: past the engines that the guard watches."""

import sqlite3
from contextlib import closing
from pathlib import Path

from purposeguard.subjects.sql import SqlSubjects
from sqlalchemy import create_engine

from hr_api.models import Base

PEOPLE = Path(__file__).with_name("seed.sql")


def people(path: Path) -> None:
    """Make the database file, with everybody in it."""
    engine = create_engine(f"sqlite:///{path}")
    Base.metadata.create_all(engine)
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(PEOPLE.read_text(encoding="utf-8"))


def subjects(store: SqlSubjects) -> None:
    """Record what they have asked for and agreed to."""
    number = store.request_received("candidate", 2, kind="disclosure", form="prescribed")
    store.request_verified(number)
    for participant in (1, 2):
        store.consent_given(
            category="event_participant",
            subject=participant,
            recipient="co_host",
            wording="guests-2026",
        )
    store.consent_given(
        by="customer",
        customer=1,
        purpose="advertising",
        recipient="ad_distributors",
        wording="ads-2026",
    )
    store.mandate_given(1, reference="contract-17")
