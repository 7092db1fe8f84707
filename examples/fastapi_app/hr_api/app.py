"""The app factory."""

import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from purposeguard import Ledger, bundled_policy
from purposeguard.subjects.sql import SqlSubjects

from hr_api import payroll as payroll_service
from hr_api import problems, seed, telemetry
from hr_api.database import Database
from hr_api.guard import SUBJECT_KEY, guard, purposes
from hr_api.routes import (
    customers,
    events,
    marketing,
    reception,
    recruiting,
    reports,
    rights,
    support,
)
from hr_api.subjects import Subjects

AREAS = (recruiting, support, events, marketing, reception, customers, rights, reports)


@dataclass(frozen=True)
class Settings:
    """What differs from one place where the service runs to the next."""

    database: Path
    mode: str
    ledger: Path | None
    payroll: str | None
    token_key: Any = field(repr=False)


def create_app(
    path: str | Path | None = None,
    *,
    mode: str | None = None,
    ledger: str | Path | None = None,
    payroll: str | None = None,
    token_key: Any = None,
) -> FastAPI:
    """Return the service over the SQLite file `path`, which is made and seeded where it is missing.

    What is on record about people is in a file of its own beside it. `ledger` is the directory that
    accesses are recorded in, `payroll` the address of the payroll service, and `token_key` what
    tokens for it are signed with. Left out, they come from HR_DATABASE (default `hr.sqlite`),
    HR_MODE (default `enforce`), HR_LEDGER (default: no ledger), HR_PAYROLL and HR_TOKEN_KEY_FILE.
    """
    directory = ledger or os.environ.get("HR_LEDGER")
    key_file = os.environ.get("HR_TOKEN_KEY_FILE")
    app = FastAPI(title="HR service", lifespan=_lifespan, telemetry=telemetry.OWN)
    app.state.settings = Settings(
        database=Path(path or os.environ.get("HR_DATABASE", "hr.sqlite")).absolute(),
        mode=mode or os.environ.get("HR_MODE", "enforce"),
        ledger=Path(directory) if directory else None,
        payroll=payroll or os.environ.get("HR_PAYROLL"),
        token_key=token_key or (Path(key_file).read_text(encoding="ascii") if key_file else None),
    )
    purposes.install(app)
    problems.install(app)
    app.add_middleware(telemetry.TraceRequests)
    for area in AREAS:
        app.include_router(area.router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    policy = bundled_policy("smarthr")
    async with AsyncExitStack() as stack:
        store = stack.enter_context(_subjects(settings.database))
        ledger = stack.enter_context(Ledger(settings.ledger)) if settings.ledger else None
        # Here, not at import: every decorated function is known by now, and so is the telemetry,
        # which is told what policy is in force.
        guard.load(policy, mode=settings.mode, ledger=ledger, subjects=store)
        app.state.subjects = Subjects(policy, store, settings.ledger)
        app.state.database = Database(settings.database)
        stack.push_async_callback(app.state.database.close)
        app.state.payroll = None
        if settings.payroll:
            client = payroll_service.client(settings.payroll, settings.token_key)
            app.state.payroll = await stack.enter_async_context(client)
        yield


def _subjects(database: Path) -> SqlSubjects:
    """Return what is on record about people; the first worker that starts makes both files."""
    with database.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        store = SqlSubjects(f"sqlite:///{database.with_suffix('.subjects')}", key=SUBJECT_KEY)
        if not database.exists():
            seed.people(database)
            seed.subjects(store)
    return store
