"""Which table a column's name belongs to: the things in `FROM`, seen from the inside out."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from purposeguard.integrations.sql.catalog import Column, Relation, folded


class Name(NamedTuple):
    """A name in a statement.

    Whatever has the same `folded` name may be meant, and is read. Only what has the same `exact`
    name, as the database compares them, surely is, and hides what lies further out.
    """

    folded: str
    exact: str


class Columns(NamedTuple):
    """What something in `FROM` has: columns of these exact names, and maybe more."""

    names: frozenset[str] = frozenset()
    more: bool = True


class Source:
    """One thing that columns can come from.

    `relations` are the tables that it may be; none for what a query or function has made, whose
    columns were read there. A source whose columns are `renamed` is read as a whole.
    """

    __slots__ = ("columns", "relations", "renamed")

    def __init__(
        self,
        relations: Iterable[Relation] = (),
        columns: Columns | None = None,
        *,
        renamed: bool = False,
    ) -> None:
        self.relations = tuple(relations)
        self.columns = columns or Columns()
        self.renamed = renamed

    def has(self, name: Name) -> bool:
        """Whether it surely has a column."""
        return name.exact in self.columns.names

    def may_have(self, column: Column) -> bool:
        """Whether it may have a column of the same name as another's."""
        name = folded(column.name)
        return (
            self.columns.more
            or any(name in each.columns for each in self.relations)
            or any(name == folded(each) for each in self.columns.names)
        )

    def column(self, name: Name) -> Iterator[Column]:
        """Yield what is read where one of its columns is named."""
        if self.renamed:
            yield from self.all()
            return
        for relation in self.relations:
            column = relation.column(name.folded)
            if column is not None:
                yield column

    def all(self) -> Iterator[Column]:
        """Yield what is read where all of its columns are."""
        for relation in self.relations:
            yield from relation.columns.values()


class Frame:
    """What can be named in one query, and, outside of it, in those around it."""

    __slots__ = ("hides", "made", "outer", "sources")

    def __init__(self, outer: "Frame | None" = None) -> None:
        self.outer = outer
        self.sources: list[tuple[Name, Source]] = []
        self.made: dict[str, Source] = {}
        """What `WITH` has named, by its exact names."""
        self.hides = True
        """Whether all of it can be seen, so that it hides what lies further out."""

    def add(self, name: Name, source: Source) -> None:
        """Put one more thing into `FROM`."""
        self.sources.append((name, source))

    def _outwards(self) -> Iterator["Frame"]:
        frame: Frame | None = self
        while frame is not None:
            yield frame
            frame = frame.outer

    def made_by_with(self, name: Name) -> Source | None:
        """Return what `WITH` has given this name, here or further out."""
        for frame in self._outwards():
            if name.exact in frame.made:
                return frame.made[name.exact]
        return None

    def called(
        self, name: Name, *, column: Name | None = None, qualified: bool = False
    ) -> list[Source]:
        """Return the sources of this name, of the innermost query that has any.

        Where a column is given, it is the innermost one in which it surely is a column of theirs. A
        schema before the name may skip queries: then it is those of all.
        """
        found: list[Source] = []
        for frame in self._outwards():
            here = [source for each, source in frame.sources if each.exact == name.exact]
            found += here
            sure = column is None or any(source.has(column) for source in here)
            if here and sure and frame.hides and not qualified:
                break
        return found

    def column(self, name: Name) -> Iterator[Column]:
        """Yield every column that a bare name may mean.

        The innermost query with a source that surely has it is the last that is looked at. In
        PostgreSQL the name of a source stands for its whole row, if nothing has such a column.
        """
        rows: list[Source] = []
        for frame in self._outwards():
            for each, source in frame.sources:
                yield from source.column(name)
                if each.exact == name.exact:
                    rows.append(source)
            if frame.hides and any(source.has(name) for _, source in frame.sources):
                return
        for source in rows:
            yield from source.all()

    def all(self) -> Iterator[Column]:
        """Yield what `*` reads."""
        for _, source in self.sources:
            yield from source.all()

    def shared(self) -> Iterator[Column]:
        """Yield what a natural join compares: what two sources have, or one may have."""
        for place, (_, source) in enumerate(self.sources):
            others = [each for n, (_, each) in enumerate(self.sources) if n != place]
            for column in source.all():
                if any(each.may_have(column) for each in others):
                    yield column
