"""Which table a column's name belongs to: the things in `FROM`, seen from the inside out."""

from collections.abc import Iterable, Iterator

from purposeguard.integrations.sql.catalog import Column, Relation, folded


class Source:
    """One thing that columns can come from.

    `relations` are the tables that it may be; none for what a query or function has made, whose
    columns were read there. `known` are names of columns that it surely has, or None where nothing
    is known. A source whose columns are `renamed` is read as a whole.
    """

    __slots__ = ("known", "relations", "renamed")

    def __init__(
        self,
        relations: Iterable[Relation] = (),
        known: Iterable[str] | None = None,
        *,
        renamed: bool = False,
    ) -> None:
        self.relations = tuple(relations)
        names = {name for each in self.relations for name in each.columns}
        if known is not None:
            names.update(map(folded, known))
        surely = not renamed and (self.relations or known is not None)
        self.known = frozenset(names) if surely else None
        self.renamed = renamed

    def has(self, name: str) -> bool:
        """Whether it surely has a column."""
        return self.known is not None and name in self.known

    def column(self, name: str) -> Iterator[Column]:
        """Yield what is read where one of its columns is named."""
        if self.renamed:
            yield from self.all()
            return
        for relation in self.relations:
            if name in relation.columns:
                yield relation.columns[name]

    def all(self) -> Iterator[Column]:
        """Yield what is read where all of its columns are."""
        for relation in self.relations:
            yield from relation.columns.values()


class Frame:
    """What can be named in one query, and, outside of it, in those around it."""

    __slots__ = ("made", "outer", "sources")

    def __init__(self, outer: "Frame | None" = None) -> None:
        self.outer = outer
        self.sources: list[tuple[str, Source]] = []
        self.made: dict[str, Source] = {}
        """What `WITH` has named."""

    def add(self, name: str, source: Source) -> None:
        """Put one more thing into `FROM`."""
        self.sources.append((folded(name), source))

    def made_by_with(self, name: str) -> Source | None:
        """Return what `WITH` has given this name, here or further out."""
        frame: Frame | None = self
        while frame is not None:
            found = frame.made.get(folded(name))
            if found is not None:
                return found
            frame = frame.outer
        return None

    def called(self, name: str) -> list[Source]:
        """Return the sources of this name, of the innermost query that has any."""
        frame: Frame | None = self
        while frame is not None:
            found = [source for key, source in frame.sources if key == folded(name)]
            if found:
                return found
            frame = frame.outer
        return []

    def column(self, name: str) -> Iterator[Column]:
        """Yield every column that a bare name may mean.

        The innermost query with a source that surely has it is the last that is looked at. In
        PostgreSQL the name of a source stands for its whole row.
        """
        name = folded(name)
        frame: Frame | None = self
        while frame is not None:
            sources = frame.sources
            sure = any(source.has(name) for _, source in sources)
            for key, source in sources:
                yield from source.column(name)
                if not sure and key == name:
                    yield from source.all()
            if sure or any(key == name for key, _ in sources):
                return
            frame = frame.outer

    def all(self) -> Iterator[Column]:
        """Yield what `*` reads."""
        for _, source in self.sources:
            yield from source.all()

    def shared(self) -> Iterator[Column]:
        """Yield what a natural join compares: what two sources have, or one may have."""
        for place, (_, source) in enumerate(self.sources):
            others = [each for n, (_, each) in enumerate(self.sources) if n != place]
            for column in source.all():
                if any(each.known is None or each.has(folded(column.name)) for each in others):
                    yield column
