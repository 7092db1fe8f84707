"""The tables that are known, and which of their columns hold whose data."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Items = frozenset[str] | None
"""Items of a category; None stands for all of them."""

_LONGEST = 63
"""Bytes of a name that PostgreSQL looks at."""


def folded(name: str) -> str:
    """Return what names are compared by.

    Databases differ in which names they take for the same one. This takes for the same whatever
    either of them might: at worst a column too many counts as read.
    """
    name = name.lower()
    if len(name) * 4 > _LONGEST:
        name = name.encode(errors="replace")[:_LONGEST].decode(errors="ignore")
    return name


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One column of a table that is known, and the data in it, by category."""

    relation: str
    name: str
    tags: Mapping[str, Items]

    @property
    def shown(self) -> str:
        """The column as messages name it."""
        return f"{self.relation}.{self.name}"


ROWID = frozenset({"rowid", "oid", "_rowid_"})
"""What SQLite calls a column besides that is the key of its table, and an integer."""


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """A table or view that is known. `columns` are by their folded names, `key` is the only key."""

    name: str
    schema: str | None
    columns: Mapping[str, Column]
    key: Column | None = None

    def column(self, name: str) -> Column | None:
        """Return the column of a folded name."""
        return self.columns.get(name) or (self.key if name in ROWID else None)

    @property
    def tagged(self) -> bool:
        """Whether any of its columns holds personal data."""
        return any(column.tags for column in self.columns.values())


class Catalog:
    """Everything that is known of a database."""

    def __init__(self, relations: Iterable[Relation]) -> None:
        self._named: dict[str, list[Relation]] = {}
        for relation in relations:
            self._named.setdefault(folded(relation.name), []).append(relation)
        everything = [each for named in self._named.values() for each in named]
        self.tagged = {
            name: tuple(each for each in named if each.tagged)
            for name, named in self._named.items()
            if any(each.tagged for each in named)
        }
        """The relations that hold personal data, by their folded names."""
        self.categories = categories(everything)

    def named(self, name: str, schema: str | None = None) -> tuple[Relation, ...]:
        """Return what a name in a statement may stand for.

        A table without a schema may be in any: the default one has a name as well. A schema that
        the catalog doesn't have for this name may be the search path's, or one that names were
        translated to: then the name alone counts.
        """
        found = self._named.get(folded(name), ())
        if schema is not None:
            here = [each for each in found if folded(each.schema or "") == folded(schema)]
            elsewhere = [each for each in found if each.schema is None]
            found = [*here, *elsewhere] or found
        return tuple(found)


def categories(relations: Iterable[Relation]) -> tuple[str, ...]:
    """Return the categories whose data these relations hold."""
    columns = [column for each in relations for column in each.columns.values()]
    return tuple(sorted({category for column in columns for category in column.tags}))
