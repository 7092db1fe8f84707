"""A second service, payroll: it believes what the HR service has signed.

No function of it says what it touches. The tag on the column does.
"""

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fastapi import Depends, FastAPI
from purposeguard import Guard, bundled_policy
from purposeguard.integrations.fastapi import FastAPIPurposes
from purposeguard.integrations.sqlalchemy import SQLAlchemyPurposes, tag
from purposeguard.integrations.tokens import TrustedIssuers
from purposeguard.subjects.sql import SqlSubjects
from pydantic import BaseModel
from sqlalchemy import Engine, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from hr_api import telemetry


class Base(DeclarativeBase):
    """What the tables have in common."""


class Pay(Base):
    """What a customer's employee is paid in a month."""

    __tablename__ = "pay"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    shells: Mapped[int] = mapped_column(info=tag("entrusted", "content"))


class PayRun(BaseModel):
    """What a customer's employees are paid in all."""

    customer_id: int
    people: int
    shells: int


def create_app(
    path: str | Path | None = None, *, trusted: Any = None, mode: str = "enforce"
) -> FastAPI:
    """Return the service over the SQLite file `path`, which is made and seeded where it is missing.

    `trusted` are the public keys of the HR service. Left out, they come from the PEM file that
    PAYROLL_TRUSTED_KEY_FILE names, and the path from PAYROLL_DATABASE (default `payroll.sqlite`).
    """
    database = Path(path or os.environ.get("PAYROLL_DATABASE", "payroll.sqlite")).absolute()
    keys = trusted or Path(os.environ["PAYROLL_TRUSTED_KEY_FILE"]).read_text(encoding="ascii")
    subject_key = os.environ.get("PURPOSEGUARD_SUBJECT_KEY", "").encode() or secrets.token_bytes(32)
    engine = create_engine(f"sqlite:///{database}")
    guard = Guard(subject_key=subject_key, service="payroll")
    # A token can only narrow what the app is for. Who may ask at all, it doesn't say.
    purposes = FastAPIPurposes(guard, trusted=TrustedIssuers("payroll", {"hr-api": keys}))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        with SqlSubjects(
            f"sqlite:///{database.with_suffix('.subjects')}", key=subject_key
        ) as store:
            if not database.exists():
                _seed(engine, store)
            SQLAlchemyPurposes(guard, Base.metadata).install(engine)
            guard.load(bundled_policy("smarthr"), mode=mode, subjects=store)
            yield
        engine.dispose()

    app = FastAPI(
        title="Payroll",
        lifespan=lifespan,
        dependencies=[Depends(purposes("entrusted.service_delivery"))],
        telemetry=telemetry.OWN,
    )
    purposes.install(app)
    app.add_middleware(telemetry.TraceRequests)
    app.state.guard = guard

    @app.get("/customers/{customer_id}/pay-run")
    @guard.purpose("entrusted.service_delivery", customer="customer_id")
    def pay_run(customer_id: int) -> PayRun:
        """Show what a customer's employees are paid, as that customer's mandate has it."""
        query = select(func.count(), func.coalesce(func.sum(Pay.shells), 0))
        with Session(engine) as session:
            people, shells = session.execute(query.where(Pay.customer_id == customer_id)).one()
        return PayRun(customer_id=customer_id, people=people, shells=shells)

    return app


def _seed(engine: Engine, store: SqlSubjects) -> None:
    """Put in made-up pay, and the mandate of the first of two customers."""
    Base.metadata.create_all(engine)
    with Session(engine) as session:
        session.add_all(Pay(customer_id=customer, shells=pay) for customer, pay in SEED)
        session.commit()
    store.mandate_given(1, reference="contract-17")


SEED = [(1, 301), (1, 317), (2, 290)]
