"""What mapped columns are tagged with: whose data they hold."""

from collections.abc import Iterable, Iterator

from sqlalchemy import Column as TableColumn
from sqlalchemy import MetaData, Table, event

from purposeguard.exceptions import UnknownNameError
from purposeguard.hub import Hub
from purposeguard.integrations.sql.catalog import Catalog, Column, Items, Relation, folded
from purposeguard.points import Names, Site, read_names

_KEY = "purposeguard:"
"""What the keys in a column's `info` begin with; the category follows."""


def tag(category: str, *items: str) -> dict[str, object]:
    """Return a column's `info`: it holds these items of a category, or, with none, all of them.

    `info=tag("candidate", "name")`. A column with data of several categories takes several tags:
    `info=tag("candidate", "name") | tag("employee", "name")`.

    Raises UnknownNameError for what can't be a name.
    """
    names = read_names(category, items=list(items) or None)
    if names.category is None:
        raise UnknownNameError("the category of a tag is `None`: name one of the policy")
    return {f"{_KEY}{names.category}": names.items}


class ColumnSite(Site):
    """The place of a tag: where it was read, and the column that has it."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{self.file}:{self.line}, column `{self.function}`"


_Made = tuple[tuple[str, str | None, str, tuple[Names, ...]], ...]
"""What a catalog is made of: table, schema, column, and what the column is tagged with."""


class _Latest:
    """The newest table or column of all that are declared in this process."""

    __slots__ = ("change",)

    def __init__(self) -> None:
        self.change = object()
        """Another object after each change: two threads may change something at once."""


latest = _Latest()


@event.listens_for(Table, "after_parent_attach")
@event.listens_for(TableColumn, "after_parent_attach")
def _attached(_what: object, _parent: object) -> None:
    latest.change = object()


class Tables:
    """The tables of some metadata, which more may be added to at any time."""

    def __init__(self, metadata: tuple[MetaData, ...]) -> None:
        self._metadata = metadata

    def made(self) -> _Made:
        """Return what `catalog` would be made of: as long as it is the same, so is the catalog."""
        return tuple(
            (table.name, table.schema, column.name, tuple(_names(column)))
            for table in self._all()
            for column in table.columns
        )

    def catalog(self) -> Catalog:
        """Return the tables and what their columns are tagged with."""
        return Catalog(map(_relation, self._all()))

    def judge(self, hub: Hub, site: Site) -> None:
        """Judge the names of every tag. Raises UnknownNameError for one that the policy lacks."""
        for table in self._all():
            for column in table.columns:
                for names in _names(column):
                    place = f"{table.fullname}.{column.name}"
                    try:
                        hub.declared.judge(names, ColumnSite(place, site.file, site.line))
                    except UnknownNameError as error:
                        text = f"column `{place}`: {error}"
                        raise UnknownNameError(text, error.name, error.suggestion) from None

    def _all(self) -> Iterator[Table]:
        for metadata in self._metadata:
            yield from list(metadata.tables.values())


def _names(column: TableColumn[object]) -> Iterator[Names]:
    for key, items in list(column.info.items()):
        if isinstance(key, str) and key.startswith(_KEY):
            yield Names(key.removeprefix(_KEY), items)


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
    return Relation(table.name, table.schema, columns)


def _tags(names: Iterable[Names]) -> Iterator[tuple[str, Items]]:
    for each in names:
        yield each.category or "", None if each.items is None else frozenset(each.items)
