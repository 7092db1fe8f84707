"""SQLAlchemy: every statement that reads or writes tagged columns is an access.

Statements are checked right before the driver gets them, whoever made them. What a column holds is
said once, where it is mapped.
"""

import sys
from logging import WARNING
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

try:
    import sqlglot  # noqa: F401 - the reader of statements needs it
    from sqlalchemy import Engine, MetaData, event
except ImportError:
    raise ImportError(
        "the adapter for SQLAlchemy needs it and sqlglot, which the extra `sqlalchemy` brings: "
        "pip install 'purposeguard[sqlalchemy]'"
    ) from None

from opentelemetry.context import get_current
from sqlalchemy.engine.base import OptionEngine
from sqlalchemy.util import await_only

from purposeguard.blocks import site_of
from purposeguard.exceptions import PurposeGuardError, ScopeError
from purposeguard.guard import Guard
from purposeguard.hub import Hub
from purposeguard.integrations.callers import caller
from purposeguard.integrations.given import require_guard
from purposeguard.integrations.sql.reading import DIALECTS, Reader, Reading, Touch
from purposeguard.integrations.sqlalchemy_denials import explain, explain_hidden
from purposeguard.integrations.sqlalchemy_tags import Made, Tables, latest, tag
from purposeguard.opened import covered
from purposeguard.points import AccessPoint, Names, Site
from purposeguard.scope import chain_in, current_chain
from purposeguard.stretch import Gate

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection, Dialect, ExecutionContext
    from sqlalchemy.ext.asyncio import AsyncEngine

__all__ = ["SQLAlchemyPurposes", "tag"]

_HOOK = "before_cursor_execute"

_SECONDS = 1
"""How long a tag that is written into a column's `info` may stay unseen by a text that was read."""

_KEPT = 4096
"""Accesses of statements, each at its place in the code, that are kept ready."""

_PERCENT = ("format", "pyformat")
"""The styles of placeholders in which a percent sign is written twice."""

_NONE: dict[str, Any] = {}

_installed: "WeakKeyDictionary[Engine, dict[Hub, SQLAlchemyPurposes]]" = WeakKeyDictionary()
"""What checks each engine, by guard: a second one would record each access twice."""


class _Known(NamedTuple):
    """What is made of the tables as they are at one time."""

    change: object
    """The newest of all changes that were made before."""
    until: float
    """When to look at them again: a tag may be written into a column's `info` at any time."""
    made: Made
    readers: dict[str, Reader]
    gates: dict[tuple[Reading, str, int], tuple[Gate, ...]]
    """What the accesses of a text pass through, by the line that executes it."""


class SQLAlchemyPurposes:
    """Checks what is done to tagged columns through SQLAlchemy.

    `metadata` has the tables whose columns are tagged; of mapped classes it is `Base.metadata`, or
    `Base` itself. A view is tagged like a table, by declaring a `Table` for it.

    Each statement is one access for each category that it touches: `store` where it inserts or
    updates, else `use`; rows that it deletes are an `erase` beside it. Its items are those of the
    columns that it names anywhere. A statement whose text doesn't say what it touches is a gap.
    What is done inside a guarded access that covers it belongs to that access.

    Raises UnknownNameError for tags that the policy lacks, or has the guard's first `load` do so;
    for what is no guard or metadata, or none; and ScopeError for a tag on a table, or on a mapped
    attribute, instead of its column.
    """

    def __init__(self, guard: Guard, *metadata: MetaData | type) -> None:
        require_guard(guard)
        self.guard = guard
        self._hub = guard._hub
        self._tables = Tables(metadata)
        self._site = site_of(sys._getframe(1))
        self._tables.judge(self._hub, self._site)
        self._known = self._look_at_tables()
        self._batched: WeakKeyDictionary[ExecutionContext, tuple[Touch, ...]] = WeakKeyDictionary()
        """What was judged last for each execution of many rows."""
        self._told = False
        self._hub.tracks = True

    def install(self, engine: "Engine | AsyncEngine") -> None:
        """Check every statement of an engine from now on.

        An engine that `execution_options` made of another shares its connections: it is the other
        one that is checked. Listeners that rewrite statements have to be there before.

        Raises ScopeError for an engine of another dialect than SQLite's and PostgreSQL's, and where
        the guard checks it already.
        """
        found = _checked(engine)
        if found.dialect.name not in DIALECTS:
            known = " and ".join(f"`{name}`" for name in DIALECTS)
            raise ScopeError(
                f"statements of `{found.dialect.name}` can't be read: "
                f"install it on an engine of {known}"
            )
        self._tables.judge(self._hub, self._site)
        there = _installed.setdefault(found, {})
        if there.setdefault(self._hub, self) is not self:
            raise ScopeError(
                "the guard checks the engine already: give all metadata to one "
                "`SQLAlchemyPurposes`, and install that"
            )
        if not event.contains(found, _HOOK, self._before):
            event.listen(found, _HOOK, self._before)

    def untagged(self) -> list[str]:
        """Return the columns that hold nobody's data, as far as tags say: `table.column`.

        Compare it in a test with those that really don't: a column that is new, or tagged where no
        tag counts, is found there.
        """
        return self._tables.untagged()

    def uninstall(self, engine: "Engine | AsyncEngine") -> None:
        """Check statements of an engine no more."""
        found = _checked(engine)
        if event.contains(found, _HOOK, self._before):
            event.remove(found, _HOOK, self._before)
            del _installed[found][self._hub]

    def _look_at_tables(self, known: _Known | None = None) -> _Known:
        """Take the tables as they are now; what is known stays where they are the same.

        The change is read first: what comes while they are looked at is seen the next time.
        """
        change, until = latest.change, monotonic() + _SECONDS
        made = self._tables.made()
        if known is not None and made == known.made:
            return known._replace(change=change, until=until)
        catalog = self._tables.catalog()
        readers = {name: Reader(catalog, name) for name in DIALECTS}
        return _Known(change, until, made, readers, {})

    def _before(
        self,
        connection: "Connection",
        _cursor: Any,
        statement: str,
        parameters: Any,
        context: "ExecutionContext | None",
        many: bool,
    ) -> None:
        """Judge what a statement touches: the hook."""
        reading = self._read(connection.dialect, statement, bool(parameters), context)
        if not reading.touches or (many and self._goes_on(reading, context)):
            return
        error = self._denied(reading, connection.dialect.is_async, context)
        if error is not None:
            del statement, parameters, _cursor, context  # a traceback must not hold their data
            raise error

    def _read(
        self,
        dialect: "Dialect",
        statement: str,
        given: bool,
        context: "ExecutionContext | None",
    ) -> Reading:
        options = _NONE if context is None else context.execution_options
        percent = dialect.paramstyle in _PERCENT
        if percent and not given:
            percent = not options.get("no_parameters")
        translated = "schema_translate_map" in options
        known = self._known
        if known.change is not latest.change or monotonic() > known.until:
            self._known = known = self._look_at_tables(known)
        reader = known.readers[dialect.name]
        before = reader.read_anew
        reading = reader.read(statement, percent=percent, translated=translated)
        if reader.read_anew != before:
            self._known = known = self._look_at_tables(known)
            if known.readers[dialect.name] is not reader:
                reader = known.readers[dialect.name]
                reading = reader.read(statement, percent=percent, translated=translated)
            if not self._told and not any(tags for *_, tags in known.made):
                self._tell_of_no_tags()
        return reading

    def _tell_of_no_tags(self) -> None:
        """Emit the log event for statements that nothing is known of, once."""
        self._told = True
        self._hub.events.emit(
            "purposeguard.sqlalchemy",
            "no column of the metadata is tagged, so no statement is an access: import the tables "
            "first, or give the metadata that they are declared in",
            {},
            WARNING,
        )

    def _goes_on(self, reading: Reading, context: "ExecutionContext | None") -> bool:
        """Whether a statement is the next batch of rows of one that was judged: one access."""
        if context is None:
            return False
        before = self._batched.get(context)
        self._batched[context] = reading.touches
        return before == reading.touches

    def _denied(
        self, reading: Reading, later: bool, context: "ExecutionContext | None"
    ) -> PurposeGuardError | None:
        """Judge and record all that a statement touches; return the error for what is denied."""
        hub = self._hub
        here = get_current()
        chain = chain_in(here, hub.key)
        encloses = here.get(hub.opened) is not None
        gates: tuple[Gate, ...] = ()
        for place, touch in enumerate(reading.touches):
            if encloses and covered(hub, here, chain, *touch[:3]):
                continue
            gates = gates or self._gates_of(reading)
            error = _refusal(gates[place], failed=bool(reading.cause), later=later)
            if error is not None:
                if reading.cause:
                    explain_hidden(error, reading)
                else:
                    explain(error, touch, context)
                return error
        return None

    def _gates_of(self, reading: Reading) -> tuple[Gate, ...]:
        """Return what each access of a statement passes through, for the line that executes it."""
        frame = caller()
        key = (reading, frame.f_code.co_filename, frame.f_lineno)
        kept = self._known.gates
        gates = kept.get(key)
        if gates is None:
            gates = tuple(self._gate(touch, site_of(frame)) for touch in reading.touches)
            if len(kept) >= _KEPT:
                kept.clear()
            kept[key] = gates
        return gates

    def _gate(self, touch: Touch, site: Site) -> Gate:
        names = Names(touch.category, touch.items, operation=touch.operation)
        point = AccessPoint(names, site, self._hub.tally)
        return Gate(self._hub, point=point, encloses=False)


def _refusal(gate: Gate, *, failed: bool, later: bool) -> PurposeGuardError | None:
    """Judge and record one access; return its error where it is denied.

    In an async engine, whose hooks run inside a task, waiting is left to the task's loop.
    """
    if failed:
        stretch = gate.stretch(current_chain(gate.hub.key))
        stretch.later = later
        stretch.fail()
        stretch.start(get_current())
    elif later:
        stretch = gate.begin((), {}, later=True)
    else:
        passage = gate.pass_through()
        if passage is not None and passage.error is None:
            passage.end()
            return None
        if passage is not None:
            return passage.take_error()
        stretch = gate.begin((), {})
    if stretch.waiting is not None:
        await_only(stretch.ready())
    if stretch.error is not None:
        return stretch.take_error()
    stretch.leave()
    return None


def _checked(engine: object) -> Engine:
    """Return the engine whose listeners hear every statement that goes through a given one."""
    found = getattr(engine, "sync_engine", engine)
    if not isinstance(found, Engine):
        raise ScopeError(
            f"an object of type `{type(engine).__name__}` is no engine: "
            "give what `create_engine` or `create_async_engine` returned"
        )
    while isinstance(found, OptionEngine):
        found = found._proxied
    return found
