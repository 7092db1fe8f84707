"""What mapped columns are tagged with: whose data they hold."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Column as TableColumn
from sqlalchemy import MetaData, Table, event
from sqlalchemy.orm import InstrumentedAttribute, Mapper

from purposeguard.exceptions import ScopeError, UnknownNameError
from purposeguard.hub import Hub
from purposeguard.integrations.sql.catalog import Catalog, Column, Items, Relation, folded
from purposeguard.points import Names, Site, read_names

_BARE = "purposeguard"

_KEY = f"{_BARE}:"
"""What the keys in a column's `info` begin with; the category follows."""


def tag(category: str, *names: str, items: Iterable[str] | None = None) -> dict[str, object]:
    """Return a column's `info`: it holds these items of a category, or, with none, all of them.

    `info=tag("candidate", "name")`, or `tag("candidate", items=["name"])`. A column with data of
    several categories takes several tags:
    `info=tag("candidate", "name") | tag("employee", "name")`.

    Raises UnknownNameError for what can't be a name.
    """
    if any(isinstance(each, list | tuple | set | frozenset) for each in names):
        raise UnknownNameError(
            "a list stands where the name of an item belongs: write `items=[…]`", "items"
        )
    if names and items is not None:
        raise UnknownNameError("a tag names its items twice: leave out one of both", "items")
    read = read_names(category, items=list(names) or items)
    if read.category is None:
        raise UnknownNameError("the category of a tag is `None`: name one of the policy")
    return {f"{_KEY}{read.category}": read.items}


class ColumnSite(Site):
    """The place of a tag: where it was read, and the column that has it."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{self.file}:{self.line}, column `{self.function}`"


Made = tuple[tuple[str, str | None, str, tuple[Names, ...]], ...]
"""What a catalog is made of: table, schema, column, and what the column is tagged with."""


class _Latest:
    """The newest table or column of all that are declared in this process."""

    __slots__ = ("change",)

    def __init__(self) -> None:
        self.change = object()
        """Another object after each change: two threads may change something at once."""


latest = _Latest()


@event.listens_for(Table, "after_parent_attach")
def _attach_table(table: Table, _: object) -> None:
    latest.change = object()
    _refuse_on_table(table)


@event.listens_for(TableColumn, "after_parent_attach")
def _attach_column(column: TableColumn[object], _: object) -> None:
    latest.change = object()
    _refuse_misspelt(column)


@event.listens_for(Mapper, "after_mapper_constructed")
def _map(mapper: Mapper[Any], class_: type) -> None:
    """Raise ScopeError for a tag on a mapped attribute: statements name columns."""
    for each in mapper.all_orm_descriptors:
        prop = each.comparator.prop if isinstance(each, InstrumentedAttribute) else None
        if prop is not None and _tagged(prop.info):
            raise ScopeError(
                f"the tag of `{class_.__name__}.{prop.key}` is not on its column, which would stay "
                "unguarded: write `Column(…, info=tag(…))` or `mapped_column(…, info=tag(…))`"
            )


def _refuse_on_table(table: Table) -> None:
    if _tagged(table.info):
        raise ScopeError(
            f"table `{table.fullname}` has a tag, and its columns would stay unguarded: "
            "tag each column that holds personal data"
        )


def _refuse_misspelt(column: TableColumn[object]) -> None:
    for key, items in _tagged(column.info).items():
        if key == _BARE or not (items is None or type(items) is tuple):
            place = _place(column)
            raise UnknownNameError(
                f'the `info` of column `{place}` is no tag: write `info=tag("candidate", "name")`',
                _BARE,
            )


def _tagged(info: Mapping[Any, object]) -> dict[str, object]:
    """Return what is ours of an `info`."""
    found = list(info.items()) if info else ()
    return {key: value for key, value in found if isinstance(key, str) and key.startswith(_BARE)}


def _place(column: TableColumn[object]) -> str:
    return f"{column.table.fullname}.{column.name}"


class Tables:
    """The tables of some metadata, which more may be added to at any time."""

    def __init__(self, given: Iterable[object]) -> None:
        """Raise UnknownNameError for what is no metadata."""
        self._metadata = [_metadata_of(each) for each in given]
        if not self._metadata:
            raise UnknownNameError(
                "without metadata no column is known, and nothing is guarded: give `Base.metadata`",
                "metadata",
            )

    def made(self) -> Made:
        """Return what `catalog` would be made of: as long as it is the same, so is the catalog."""
        return tuple(
            (table.name, table.schema, column.name, tuple(_names(column)))
            for table in self._all()
            for column in table.columns
        )

    def catalog(self) -> Catalog:
        """Return the tables and what their columns are tagged with."""
        return Catalog(map(_relation, self._all()))

    def untagged(self) -> list[str]:
        """Return the columns that are said to hold nobody's data, as `table.column`."""
        everything = (column for table in self._all() for column in table.columns)
        return [_place(column) for column in everything if not _tagged(column.info)]

    def judge(self, hub: Hub, site: Site) -> None:
        """Judge every tag.

        Raises UnknownNameError for a name that the policy lacks, and ScopeError for a tag where
        none counts.
        """
        for table in self._all():
            _refuse_on_table(table)
            for column in table.columns:
                _refuse_misspelt(column)
                for names in _names(column):
                    place = _place(column)
                    try:
                        hub.declared.judge(names, ColumnSite(place, site.file, site.line))
                    except UnknownNameError as error:
                        text = f"column `{place}`: {error}"
                        raise UnknownNameError(text, error.name, error.suggestion) from None

    def _all(self) -> Iterator[Table]:
        for metadata in self._metadata:
            yield from list(metadata.tables.values())


def _metadata_of(given: object) -> MetaData:
    found = getattr(given, "metadata", None) if isinstance(given, type) else given
    if not isinstance(found, MetaData):
        raise UnknownNameError(
            f"an object of type `{type(given).__name__}` is no metadata: give `Base.metadata`, or "
            "each `MetaData` by itself",
            "metadata",
        )
    return found


def _names(column: TableColumn[object]) -> Iterator[Names]:
    for key, items in _tagged(column.info).items():
        if key.startswith(_KEY):
            yield Names(key.removeprefix(_KEY), items)  # type: ignore[arg-type]


def _relation(table: Table) -> Relation:
    columns: dict[str, Column] = {}
    for each in table.columns:
        name = folded(each.name)
        before = columns.get(name)
        tags: dict[str, Items] = {} if before is None else dict(before.tags)
        for category, items in _tags(_names(each)):
            known = tags.get(category, frozenset())
            tags[category] = None if items is None or known is None else known | items
        columns[name] = Column(table.fullname, each.name, tags)
    keys = [columns[folded(each.name)] for each in table.primary_key.columns]
    return Relation(table.name, table.schema, columns, keys[0] if len(keys) == 1 else None)


def _tags(names: Iterable[Names]) -> Iterator[tuple[str, Items]]:
    for each in names:
        yield each.category or "", None if each.items is None else frozenset(each.items)
