"""What a denied statement's error says besides: which columns, and how an ORM leaves them out."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.engine import ExecutionContext
from sqlalchemy.orm import Mapper

from purposeguard.exceptions import AccessDeniedError, PurposeGuardError
from purposeguard.integrations.sql.catalog import Column
from purposeguard.integrations.sql.reading import Reading, Touch
from purposeguard.interrupts import let_through
from purposeguard.policy.reasons import Reason

_SHOWN = 8
"""How many columns a note lists."""


def explain_hidden(error: PurposeGuardError, reading: Reading) -> None:
    """Say why it can't be told what a statement touches."""
    stores = ', operation="store"' if any(each.operation for each in reading.touches) else ""
    error.add_note(
        f"what the statement touches can't be told, since {reading.cause}: write it otherwise, "
        f"or run it inside a `guard.access(…{stores})` to all items of each category it may touch"
    )


def explain(error: PurposeGuardError, touch: Touch, context: ExecutionContext | None) -> None:
    """Say which columns a statement touches; of an ORM load, how to leave out what is too much."""
    excess: set[str] = set()
    if isinstance(error, AccessDeniedError) and error.decision.reason is Reason.ITEM_EXCESS:
        excess = set(error.decision.excess)
    columns = [
        column for column, items in touch.columns if not excess or items is None or items & excess
    ]
    text = f"the statement touches {_listed(each.shown for each in columns)}"
    loaded = []
    try:
        loaded = [] if touch.operation else list(_loads(context, columns))
    except Exception as failure:  # noqa: BLE001 - mappings may be wrong in any way, and denied it is
        let_through(failure)
    if loaded:
        text += f": {'; '.join(loaded)}"
    elif excess:
        text += (
            ": leave them out of it, in an ORM's load with `load_only(…)` or columns that are "
            "mapped `deferred=True`"
        )
    error.add_note(text)


def _loads(context: ExecutionContext | None, columns: list[Column]) -> Iterator[str]:
    """Yield how each entity that the statement loads as a whole can be loaded without columns."""
    unwanted = {column.shown for column in columns}
    for mapper in _entities(context):
        without = {attribute.key: _shown(attribute) & unwanted for attribute in mapper.column_attrs}
        kept = [key for key, found in without.items() if not found]
        name = mapper.class_.__name__
        if len(kept) < len(without):
            only = _listed((f"{name}.{key}" for key in kept), "")
            yield (
                f"load only what is granted of `{name}`, `load_only({only})`, "
                "or map the others `deferred=True`"
            )


def _entities(context: ExecutionContext | None) -> Iterator[Mapper[Any]]:
    """Yield what an ORM statement loads whole entities of."""
    statement = None if context is None else context.invoked_statement
    for each in getattr(statement, "column_descriptions", ()):
        entity = each.get("entity")
        if entity is not None and each.get("expr") is entity:
            yield inspect(entity).mapper


def _shown(attribute: Any) -> set[str]:
    tables = ((getattr(each.table, "fullname", ""), each.name) for each in attribute.columns)
    return {f"{table}.{name}" for table, name in tables}


def _listed(names: Iterable[str], quote: str = "`") -> str:
    listed = [f"{quote}{name}{quote}" for name in names]
    return ", ".join([*listed[:_SHOWN], "…"] if len(listed) > _SHOWN else listed)
