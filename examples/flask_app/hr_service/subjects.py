"""What is on record about people and customers: consents, mandates, requests, what is suspended."""

from flask import Flask, current_app
from purposeguard import Policy
from purposeguard.subjects.requests import Requests
from purposeguard.subjects.sql import SqlSubjects
from purposeguard.subjects.statement import Statement, statement_of


def open_for(app: Flask, policy: Policy, store: SqlSubjects) -> None:
    """Let the requests of an app use a store."""
    app.extensions["policy"] = policy
    app.extensions["subjects"] = store
    app.extensions["data_subject_requests"] = Requests(policy, store)


def subjects() -> SqlSubjects:
    """Return the store."""
    store: SqlSubjects = current_app.extensions["subjects"]
    return store


def requests() -> Requests:
    """Return what takes a person's request from its receipt to its answer."""
    handled: Requests = current_app.extensions["data_subject_requests"]
    return handled


def statement(category: str, subject: int) -> Statement:
    """Return what policy and store say about one person."""
    return statement_of(current_app.extensions["policy"], subjects(), [(category, subject)])


def seed(store: SqlSubjects) -> None:
    """Record what the made-up people of seed.sql have asked for and agreed to."""
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
