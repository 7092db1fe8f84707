"""The app factory."""

import os
from pathlib import Path

from flask import Flask
from purposeguard import Ledger, SubjectStoreError, bundled_policy
from purposeguard.subjects.sql import SqlSubjects

from hr_service import background, database, subjects, telemetry
from hr_service.guard import SUBJECT_KEY, guard, purposes
from hr_service.problems import not_now
from hr_service.routes import (
    customers,
    events,
    marketing,
    reception,
    recruiting,
    reports,
    rights,
    support,
)

AREAS = (recruiting, support, events, marketing, reception, customers, rights, reports)


def create_app(
    path: str | Path | None = None, *, mode: str | None = None, ledger: str | Path | None = None
) -> Flask:
    """Return the service over the SQLite file `path`, which is made and seeded where it is missing.

    What is on record about people is in a file of its own beside it, and so is the queue of
    background jobs. `ledger` is the directory that accesses are recorded in. Left out, they come
    from HR_DATABASE (default `hr.sqlite`), PURPOSEGUARD_MODE (default `enforce`) and HR_LEDGER
    (default: no ledger).
    """
    file = Path(path or os.environ.get("HR_DATABASE", "hr.sqlite")).absolute()
    directory = ledger or os.environ.get("HR_LEDGER")
    policy = bundled_policy("smarthr")
    store = SqlSubjects(f"sqlite:///{file.with_suffix('.subjects')}", key=SUBJECT_KEY)
    # Here, not at import: every decorated function is known by now, and so is the telemetry, which
    # is told what policy is in force.
    guard.load(
        policy,
        mode=mode or os.environ.get("PURPOSEGUARD_MODE", "enforce"),
        ledger=Ledger(directory) if directory else None,
        subjects=store,
    )

    app = Flask(__name__)
    app.config["LEDGER"] = directory
    if database.open_for(app, file):
        subjects.seed(store)
    subjects.open_for(app, policy, store)
    background.open_for(app, file.with_suffix(".queue"))
    telemetry.trace_requests(app)
    purposes.init_app(app)
    app.register_error_handler(SubjectStoreError, not_now)
    for area in AREAS:
        app.register_blueprint(area.blueprint)
    return app
