"""The table of events in one database: adding to it, and reading it back."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any, TypeVar

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    FromClause,
    Pool,
    Row,
    Select,
    bindparam,
    event,
    exists,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy.pool import ConnectionPoolEntry

from purposeguard.exceptions import SubjectStoreError
from purposeguard.subjects.sql.engines import engine_for, in_memory, reading, writing
from purposeguard.subjects.sql.events import EAST, WEST, Entry, Event, Kind, Role
from purposeguard.subjects.sql.failures import telling
from purposeguard.subjects.sql.forks import using, watch
from purposeguard.subjects.sql.schema import migrate, usable
from purposeguard.subjects.sql.tables import EVENTS, Moment

AT_ONCE = 900
"""How many people one statement names: SQLite may take no more than 999 parameters."""

_NOW = timedelta(minutes=5)
"""How old a time may be that somebody gives, and still stand for now."""

_T = TypeVar("_T")


def _counts(events: FromClause) -> ColumnElement[bool]:
    """What holds by now.

    What was not to come when it was written holds whatever clocks say: they differ between
    machines, and are set back.
    """
    now = bindparam("now", type_=Moment())
    return or_(events.c.at <= events.c.recorded, events.c.at <= now)


_PEOPLE = EVENTS.c.person.in_(bindparam("people", expanding=True))
_ORDER = (EVENTS.c.person, EVENTS.c.at, EVENTS.c.id)
_OF_PEOPLE = select(EVENTS).where(_PEOPLE, _counts(EVENTS)).order_by(*_ORDER)
_HISTORY = select(EVENTS).where(_PEOPLE).order_by(*_ORDER)
_LAST = (
    select(EVENTS.c.person, func.max(EVENTS.c.recorded)).where(_PEOPLE).group_by(EVENTS.c.person)
)
_COLLECTED = (
    select(EVENTS.c.person)
    .where(
        EVENTS.c.kind == Kind.COLLECTED,
        EVENTS.c.category == bindparam("category"),
        EVENTS.c.person > bindparam("after"),
    )
    .distinct()
    .order_by(EVENTS.c.person)
    .limit(AT_ONCE)
)
_REQUEST = select(EVENTS).where(
    EVENTS.c.id == bindparam("request_id"), EVENTS.c.kind == Kind.REQUEST_RECEIVED
)
_ANSWERS = select(EVENTS.c.id).where(
    EVENTS.c.request == bindparam("request_id"), EVENTS.c.kind == Kind.REQUEST_ANSWERED
)
_answers = EVENTS.alias()
_ANSWERED = (
    exists()
    .where(_answers.c.request == EVENTS.c.id)
    .where(_answers.c.kind == Kind.REQUEST_ANSWERED, _counts(_answers))
)
_ASKING = select(EVENTS.c.person).where(EVENTS.c.kind == Kind.REQUEST_RECEIVED, ~_ANSWERED)


class Journal:
    """Adds events, and reads them. Whatever goes wrong is a SubjectStoreError.

    It may be used from any thread, and in a forked child, which gets connections of its own.
    """

    def __init__(self, url: URL, key_id: str, timeout: float) -> None:
        self._memory = in_memory(url)
        self._closed: str | None = None
        self._engine = engine_for(url, timeout)
        event.listen(self._engine, "checkin", self._let_go)
        self._reading, self._writing = reading(self._engine), writing(self._engine)
        self.database = self._engine.dialect.name
        self._sqlite = self.database == "sqlite"
        try:
            with telling("opened"), using(sqlite=self._sqlite):
                if usable(self._engine, key_id):
                    pass
                elif self._memory:
                    migrate(self._engine, key_id)
                else:
                    bring_up_to_date(url, key_id, timeout)
        except BaseException:
            self._engine.dispose()
            raise
        watch(self)

    def close(self) -> None:
        """Close its connections, for good; one that is in use closes as its use ends."""
        self._closed = self._closed or "it is closed: open another one"
        with using(sqlite=self._sqlite):
            self._engine.dispose()

    def rest(self) -> None:
        """Before a fork: have no SQLite file open."""
        if self._sqlite and not self._memory:
            self._engine.dispose()

    def begin_anew(self) -> None:
        """In a forked child: leave the parent's connections alone, and use new ones."""
        _inherited.append(self._engine.pool)
        self._engine.dispose(close=False)
        if self._memory:
            self._closed = "one in memory stays with the process that made it: use a file"

    def append(self, entry: Entry, actor: str | None) -> int:
        """Write one event, and return its id."""
        with self._use("written"), self._writing.begin() as connection:
            row = next(self._rows(connection, [entry], actor))
            made = connection.execute(insert(EVENTS).values(row)).inserted_primary_key
            return int(made[0]) if made else 0

    def answer(self, request: int, entries: Sequence[Entry], actor: str | None) -> None:
        """Write the answer to a request and what it brings about, all or none.

        Raises SubjectStoreError where it is answered already: two answers at once take turns.
        """
        with self._use("written"), self._writing.begin() as connection:
            if not self._sqlite:  # where who writes is alone
                connection.execute(select(func.pg_advisory_xact_lock(-request)))
            if connection.execute(_ANSWERS, {"request_id": request}).first() is not None:
                raise SubjectStoreError("this request is answered already: receive a new one")
            connection.execute(insert(EVENTS), list(self._rows(connection, entries, actor)))

    def append_many(self, entries: Sequence[Entry], actor: str | None) -> None:
        """Write events, all or none. At most `AT_ONCE`."""
        with self._use("written"), self._writing.begin() as connection:
            connection.execute(insert(EVENTS), list(self._rows(connection, entries, actor)))

    def of(self, people: Collection[str]) -> dict[str, list[Event]]:
        """Return the events that count by now about each of these people, in order."""
        found: dict[str, list[Event]] = {}
        for some in chunks(list(people)):
            for row in self._read(_OF_PEOPLE, people=some, now=datetime.now(UTC)):
                found.setdefault(row.person, []).append(_event(row))
        return found

    def history(self, person: str) -> list[Event]:
        """Return all events about a person, in order, also those that are still to come."""
        return [_event(row) for row in self._read(_HISTORY, people=[person])]

    def request(self, number: int) -> Event | None:
        """Return the event of a request that has been received, or None."""
        found = self._read(_REQUEST, request_id=number) if 0 < number < 2**63 else ()
        return next(map(_event, found), None)

    def asking(self) -> set[str]:
        """Return who has a request that is not answered."""
        return {row.person for row in self._read(_ASKING, now=datetime.now(UTC))}

    def collected(self, category: str) -> Iterator[list[str]]:
        """Yield the people of a category who were ever collected, in pages."""
        after = ""
        while page := [
            row.person for row in self._read(_COLLECTED, category=category, after=after)
        ]:
            yield page
            after = page[-1]

    def _read(self, query: Select[Any], **values: object) -> Sequence[Row[Any]]:
        with self._use("read"), self._reading.connect() as connection:
            return connection.execute(query, values).all()

    def _let_go(self, _connection: object, record: ConnectionPoolEntry) -> None:
        """Close a connection that was in use when its store closed: no pool does that any more."""
        if self._closed is not None:
            record.invalidate()

    @contextmanager
    def _use(self, what: str) -> Iterator[None]:
        if self._closed is not None:
            raise SubjectStoreError(f"the store of subjects can't be used: {self._closed}")
        with telling(what), using(sqlite=self._sqlite):
            yield

    @staticmethod
    def _rows(
        connection: Connection, entries: Sequence[Entry], actor: str | None
    ) -> Iterator[dict[str, Any]]:
        """Yield the rows of entries. None is recorded before an earlier one about that person.

        So a withdrawal stays behind the consent, also where a clock was set back between them.
        """
        people = list({each.person.key for each in entries})
        last = {row[0]: row[1] for row in connection.execute(_LAST, {"people": people})}
        now = datetime.now(UTC)
        for each in entries:
            recorded = max(now, last.get(each.person.key, now))
            yield {
                "person": each.person.key,
                "role": each.person.role,
                "category": each.person.category or each.category,
                "kind": each.kind,
                "at": _when(each.at, recorded, now),
                "recorded": recorded,
                "actor": actor,
                "request": each.request,
                "details": dict(each.details),
            }


def bring_up_to_date(url: URL, key_id: str, timeout: float) -> None:
    """Make the schema of a database or bring it up to date."""
    engine = engine_for(url, timeout, migrating=True)
    with telling("migrated"), using(sqlite=engine.dialect.name == "sqlite"):
        try:
            migrate(engine, key_id)
        finally:
            engine.dispose()


def chunks(values: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield them in parts that one statement can take."""
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]


def _when(at: datetime | date | None, recorded: datetime, now: datetime) -> datetime:
    """Return when an event holds from.

    A day holds as soon as it has begun anywhere on Earth. What is written on that day holds from
    then on, so that it comes after what was written earlier on it. A time that has only just passed
    is now: so it comes after what a clock that is ahead has recorded.
    """
    if at is None:
        return recorded
    if isinstance(at, datetime):
        return recorded if timedelta(0) <= now - at <= _NOW else at
    midnight = datetime.combine(at, time.min, UTC)
    end = midnight + timedelta(days=1) + WEST
    return min(max(recorded, midnight - EAST), end)


def _event(row: Row[Any]) -> Event:
    values = dict(row._mapping)  # a public name, in spite of its form
    values["role"] = Role(values["role"])
    values["details"] = MappingProxyType(values["details"])
    return Event(**values)


_inherited: list[Pool] = []
"""A forked child keeps its parent's connections: to close or collect one could end it for both."""
