"""The database: SQLite, with a session for each request, and every statement checked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Annotated, TypeVar

from fastapi import Depends
from purposeguard.integrations.executors import CarryingExecutor
from purposeguard.integrations.sqlalchemy import SQLAlchemyPurposes
from sqlalchemy import create_engine, orm
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.requests import HTTPConnection

from hr_api.guard import guard
from hr_api.models import Base

T = TypeVar("T")


class Database:
    """The database, for code that awaits, and for code that blocks a thread."""

    def __init__(self, path: Path) -> None:
        self._engine = create_async_engine(f"sqlite+aiosqlite:///{path}")
        self._blocking_engine = create_engine(f"sqlite:///{path}")
        tagged = SQLAlchemyPurposes(guard, Base.metadata)
        tagged.install(self._engine)
        tagged.install(self._blocking_engine)
        self.sessions = async_sessionmaker(self._engine)
        self.blocking_sessions = orm.sessionmaker(self._blocking_engine)
        # A plain pool's threads would know of no purpose: every access in them would be denied.
        self._pool = CarryingExecutor(guard, max_workers=2)

    async def in_thread(self, work: Callable[[orm.Session], T]) -> T:
        """Do work that takes long in a thread, for the purposes in force here."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._do, work)

    def _do(self, work: Callable[[orm.Session], T]) -> T:
        with self.blocking_sessions() as session:
            return work(session)

    async def close(self) -> None:
        """Close what is open."""
        self._pool.shutdown()
        self._blocking_engine.dispose()
        await self._engine.dispose()


def of_app(connection: HTTPConnection) -> Database:
    """Return the database of the app that serves a request."""
    database: Database = connection.app.state.database
    return database


async def _session(database: Annotated[Database, Depends(of_app)]) -> AsyncIterator[AsyncSession]:
    async with database.sessions() as session:
        yield session


def _blocking_session(database: Annotated[Database, Depends(of_app)]) -> Iterator[orm.Session]:
    with database.blocking_sessions() as session:
        yield session


Served = Annotated[Database, Depends(of_app)]
Session = Annotated[AsyncSession, Depends(_session)]
BlockingSession = Annotated[orm.Session, Depends(_blocking_session)]
