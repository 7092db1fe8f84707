"""Through one parsed query: every column that it reads.

What is counted is what is named, wherever it stands: a column that only filters or sorts is read
too, and so is one that an inner query reads and an outer one drops. A part of SQL that nothing here
knows is walked through like any other, so that no name in it is lost.
"""

from collections.abc import Callable, Iterable
from string import ascii_lowercase, ascii_uppercase
from typing import Any

from sqlglot import exp

from purposeguard.integrations.sql.catalog import ROWID, Catalog, Column, Relation, folded
from purposeguard.integrations.sql.frames import Columns, Frame, Name, Source
from purposeguard.integrations.sql.words import BoundlessError

_NAMING = frozenset({"this", "alias", "joins", "db", "catalog"})
"""The parts of a table in `FROM` that say which it is."""

_OF_ROWS = frozenset(
    [
        "any_value",
        "array_agg",
        "concat",
        "hstore",
        "json_agg",
        "json_agg_strict",
        "json_build_array",
        "jsonb_agg",
        "jsonb_agg_strict",
        "jsonb_build_array",
        "max",
        "min",
        "quote_literal",
        "quote_nullable",
        "record_out",
        "record_send",
        "row_to_json",
        "to_json",
        "to_jsonb",
    ]
)
"""Functions that PostgreSQL applies to a row that has no such column: `c.to_json`."""

OF_TEXTS = frozenset(
    [
        "connectby",
        "crosstab",
        "crosstab2",
        "crosstab3",
        "crosstab4",
        "database_to_xml",
        "database_to_xml_and_xmlschema",
        "dblink",
        "dblink_exec",
        "dblink_open",
        "dblink_send_query",
        "query_to_xml",
        "query_to_xml_and_xmlschema",
        "schema_to_xml",
        "schema_to_xml_and_xmlschema",
        "table_to_xml",
        "table_to_xml_and_xmlschema",
        "ts_rewrite",
        "ts_stat",
    ]
)
"""Functions of PostgreSQL that read what a text given to them says."""

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
"""Both databases take only these letters for the same."""


class Walk:
    """What queries read, collected while walking through them."""

    def __init__(self, catalog: Catalog, *, sqlite: bool, translated: bool = False) -> None:
        """`translated` says that the schemas in the text may not be the ones in the catalog."""
        self._catalog = catalog
        self._sqlite = sqlite
        self._translated = translated
        self.reads: set[Column] = set()
        self._walks: dict[type, Callable[[Any, Frame], None]] = {
            exp.Alias: self._alias,
            exp.Anonymous: self._function,
            exp.Binary: self._binary,
            exp.Column: self._column,
            exp.Count: self._count,
            exp.DataType: self._nothing,
            exp.Identifier: self._identifier,
            exp.In: self._in,
            exp.Interval: self._interval,
            exp.Order: self._order,
            exp.Select: self._query_in,
            exp.SetOperation: self._query_in,
            exp.Star: self._star,
            exp.Subquery: self._subquery,
            exp.Table: self._table,
            exp.Var: self._var,
        }
        """How to walk through what is more than its parts."""
        if sqlite:
            self._walks[exp.Parameter] = self._nothing
        self.met: set[Relation] = set()
        """The relations that are named where tables are."""
        self.written: set[str] = set()
        """The folded words and names that are written in the statement."""
        self.unknown = False
        """Whether a column is named of something that isn't there."""

    def statement(self, node: exp.Expr) -> None:
        """Walk through one query."""
        self._any(node, Frame())

    # What a name comes to.

    def _relations(self, table: exp.Table) -> tuple[Relation, ...]:
        schema = None if self._translated else table.db or None
        found = self._catalog.named(table.name, schema)
        self.met.update(found)
        return found

    def _name(self, node: exp.Expr | None) -> Name:
        """Return the name that a node is or has, or an empty one."""
        while isinstance(node, exp.Column | exp.Table | exp.TableAlias):
            node = node.this
        name = node.name if node is not None else ""
        verbatim = not self._sqlite and isinstance(node, exp.Identifier) and node.quoted
        return Name(folded(name), name if verbatim else name.translate(_LOWER))

    def _columns(self, relations: tuple[Relation, ...]) -> Columns:
        """Return the columns of a table, whichever of these relations it is."""
        names = [
            {each.name.translate(_LOWER) if self._sqlite else each.name for each in columns}
            for columns in (relation.columns.values() for relation in relations)
        ]
        return Columns(frozenset(set.intersection(*names)), more=False) if names else Columns()

    def _read(self, columns: Iterable[Column]) -> None:
        self.reads.update(columns)

    def _column(self, node: exp.Column, frame: Frame) -> None:
        star = isinstance(node.this, exp.Star)
        if not node.table:
            self._read(frame.column(self._name(node)))
            return
        table = self._name(node.args["table"])
        name = self._name(node)
        sources = frame.called(
            table,
            # SQLite looks further out where a table of this name has no such column.
            column=name if self._sqlite and not star else None,
            qualified=bool(node.args.get("db")),
        )
        self.unknown = self.unknown or not sources
        for source in sources:
            applied = not self._sqlite and name.folded in _OF_ROWS and not source.has(name)
            self._read(source.all() if star or applied else source.column(name))

    # Anything.

    def _any(self, node: exp.Expr, frame: Frame) -> None:
        for kind in type(node).__mro__:
            walk = self._walks.get(kind)
            if walk is not None:
                walk(node, frame)
                return
        self._parts(node, frame)

    def _parts(self, node: exp.Expr, frame: Frame, but: Iterable[str] = ()) -> None:
        """Walk through all parts of a node but some."""
        for name, value in node.args.items():
            if name not in but:
                for part in value if isinstance(value, list) else (value,):
                    if isinstance(part, exp.Expr):
                        self._any(part, frame)

    def _alias(self, node: exp.Alias, frame: Frame) -> None:
        self._any(node.this, frame)

    def _binary(self, node: exp.Binary, frame: Frame) -> None:
        left: exp.Expr = node
        while isinstance(left, exp.Binary):  # a chain is as deep as it is long
            self._parts(left, frame, ("this",))
            left = left.this
        self._any(left, frame)

    def _identifier(self, node: exp.Expr, frame: Frame) -> None:
        self._read(frame.column(self._name(node)))

    def _function(self, node: exp.Anonymous, frame: Frame) -> None:
        if not self._sqlite and folded(node.name) in OF_TEXTS:
            raise BoundlessError(f"`{folded(node.name)}` reads what a text says")
        self._parts(node, frame)

    def _var(self, node: exp.Var, frame: Frame) -> None:
        """A word of SQL to SQLGlot, and maybe a column: it hides none."""
        name = folded(node.name)
        if name in self.written:  # else it comes from a text: `date_trunc('month', …)`
            self._read(frame.column(Name(name, "")))

    def _star(self, _: exp.Star, frame: Frame) -> None:
        self._read(frame.all())

    def _count(self, node: exp.Count, frame: Frame) -> None:
        self._parts(node, frame, ("this",) if isinstance(node.this, exp.Star) else ())

    def _interval(self, node: exp.Interval, frame: Frame) -> None:
        self._parts(node, frame, ("unit",))

    def _order(self, node: exp.Order, frame: Frame) -> None:
        self._parts(node, frame)
        if isinstance(node.this, exp.Subquery):  # `ARRAY((SELECT …) ORDER BY …)`
            node.this.set("order", exp.Order(expressions=node.expressions))
            self._query(node.this, frame)

    def _in(self, node: exp.In, frame: Frame) -> None:
        field = node.args.get("field")
        if self._sqlite and isinstance(field, exp.Column):  # `x IN table`
            table = exp.Table(this=field.this, db=field.args.get("table"))
            self._table(table, frame)
            self._parts(node, frame, ("field",))
        else:
            self._parts(node, frame)

    def _table(self, node: exp.Table, frame: Frame) -> None:
        """A table where none was expected: whatever is done with it, it is read as a whole."""
        own = Frame(frame)
        late: list[Callable[[], None]] = []
        self._source(node, own, late)
        self._run(late, own)
        self._read(own.all())

    def _nothing(self, node: exp.Expr, frame: Frame) -> None:
        """What names no column."""

    # Queries.

    def _with(self, node: exp.Expr, frame: Frame) -> Frame:
        """Return the frame in which what `WITH` names is known."""
        clause = node.args.get("with_")
        if clause is None:
            return frame
        frame = Frame(frame)
        if clause.args.get("recursive"):
            for each in clause.expressions:
                made = Source(columns=self._renamed(each))
                frame.made[self._name(each.args["alias"]).exact] = made
        for each in clause.expressions:
            columns = self._query(each.this, frame)
            made = Source(columns=self._renamed(each) or columns)
            frame.made[self._name(each.args["alias"]).exact] = made
        self._parts(clause, frame, ("expressions",))
        return frame

    def _query(self, node: exp.Expr, frame: Frame) -> Columns:
        """Walk through a query, and return what is known of its columns."""
        if isinstance(node, exp.Select):
            return self._select(node, frame)
        if isinstance(node, exp.SetOperation):
            return self._set_operation(node, frame)
        if isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Table):
            inner = node.unnest()
            if isinstance(inner, exp.Select) and not inner.args.get("order"):
                inner.set("order", node.args.get("order"))  # to PostgreSQL it is the inner one's
            frame = self._with(node, frame)
            columns = self._query(node.this, frame)
            self._outermost(node, frame, ("this", "with_", "alias"))
            return columns
        self._any(node, frame)
        return Columns()

    def _query_in(self, node: exp.Expr, frame: Frame) -> None:
        self._query(node, frame)

    def _subquery(self, node: exp.Subquery, frame: Frame) -> None:
        if isinstance(node.this, exp.Table):
            self._table(node.this, frame)
        else:
            self._query(node, frame)

    def _set_operation(self, node: exp.SetOperation, frame: Frame) -> Columns:
        first: exp.Expr = node
        while isinstance(first, exp.SetOperation):  # as in `_binary`
            frame = self._with(first, frame)
            self._query(first.expression, frame)
            self._outermost(first, frame, ("this", "expression", "with_"))
            first = first.this
        return self._query(first, frame)

    def _outermost(self, node: exp.Expr, frame: Frame, but: Iterable[str]) -> None:
        """Walk through what stands around a whole query: its columns were read inside."""
        for name, value in node.args.items():
            if name not in but:
                for part in value if isinstance(value, list) else (value,):
                    if isinstance(part, exp.Expr):
                        for query in part.find_all(exp.Select):
                            self._query(query, frame)

    def _select(self, node: exp.Select, outer: Frame) -> Columns:
        outer = self._with(node, outer)
        frame = self._from(node, outer)
        for each in node.expressions:
            self._any(each, frame)
        aliases = [each.args["alias"] for each in node.expressions if isinstance(each, exp.Alias)]
        given = {self._name(each).exact for each in aliases}
        order = node.args.get("order")
        for each in order.expressions if order else ():
            key = each.this
            bare = isinstance(key, exp.Column) and not key.table
            if not (bare and self._name(key).exact in given):
                self._any(each, frame)
        done = ("with_", "from_", "joins", "laterals", "expressions", "order", "locks", "into")
        self._parts(node, frame, (*done, "hint"))
        return self._selected(node, frame)

    def _selected(self, node: exp.Select, frame: Frame) -> Columns:
        """Return what is known of the columns that a query makes."""
        names: set[str] = set()
        more = False
        for each in node.expressions:
            if isinstance(each, exp.Alias):
                names.add(self._name(each.args["alias"]).exact)
            elif each.is_star and isinstance(each, exp.Column | exp.Star):
                sources = [source for _, source in frame.sources]
                if isinstance(each, exp.Column):
                    sources = frame.called(self._name(each.args["table"]))
                names.update(*(source.columns.names for source in sources))
                more = more or not sources or any(source.columns.more for source in sources)
            elif self._says_its_name(each):
                names.add(self._name(each).exact)
            else:
                more = True
        return Columns(frozenset(names), more)

    def _says_its_name(self, node: exp.Expr) -> bool:
        """Whether what a query selects is a column, and surely called as it is written here.

        What is no column is called otherwise by each database, and SQLite takes a name in quotes
        for a string where there is no such column.
        """
        return (
            isinstance(node, exp.Column)
            and isinstance(node.this, exp.Identifier)
            and not (
                self._sqlite
                and (node.name.lower() in ROWID or (node.this.quoted and not node.table))
            )
        )

    def _from(self, node: exp.Expr, outer: Frame) -> Frame:
        """Return the frame of what a query or statement draws on, and walk through it."""
        frame = Frame(outer)
        late: list[Callable[[], None]] = []
        parts = [node.args.get("from_"), *(node.args.get("joins") or ())]
        for part in (*parts, *(node.args.get("laterals") or ())):
            if part is not None:
                self._source(part, frame, late)
        self._run(late, frame)
        return frame

    def _run(self, late: Iterable[Callable[[], None]], frame: Frame) -> None:
        """Walk through what was left for later.

        In PostgreSQL it sees only what stands to the left of it, or in its own join.
        """
        frame.hides = self._sqlite
        for walk in late:
            walk()
        frame.hides = True

    def _source(self, node: exp.Expr, frame: Frame, late: list[Callable[[], None]]) -> None:
        """Add something in `FROM` to a frame, and leave for later what may name its neighbours."""
        if isinstance(node, exp.From):
            self._source(node.this, frame, late)
        elif isinstance(node, exp.Join):
            self._join(node, frame, late)
        elif isinstance(node, exp.Table) and isinstance(node.this, exp.Identifier | exp.Literal):
            self._named_table(node, frame, late)
        elif isinstance(node, exp.Subquery) and not isinstance(node.this, exp.Table):
            columns = self._query(node, frame.outer or Frame())
            frame.add(
                self._name(node.args.get("alias")),
                Source(columns=self._renamed(node) or columns),
            )
            self._joins(node, frame, late)
        elif isinstance(node, exp.Subquery):
            self._bracketed(node, frame, late)
        else:  # a function, a lateral query, a list of values
            late.append(lambda: self._parts(node, frame, ("alias", "joins")))
            renamed = self._renamed(node)
            frame.add(self._name(node.args.get("alias")), Source(self._tabled(node), renamed))
            self._joins(node, frame, late)

    def _tabled(self, node: exp.Expr) -> tuple[Relation, ...]:
        """Return the table that SQLite reads by a function of its name: `FROM notes('word')`."""
        called = node.this if isinstance(node, exp.Table) else node
        if not (self._sqlite and isinstance(called, exp.Anonymous)):
            return ()
        relations = self._catalog.named(called.name)
        self.met.update(relations)
        return relations

    def _joins(self, node: exp.Expr, frame: Frame, late: list[Callable[[], None]]) -> None:
        for each in node.args.get("joins") or ():
            self._join(each, frame, late)

    def _join(self, node: exp.Join, frame: Frame, late: list[Callable[[], None]]) -> None:
        self._source(node.this, frame, late)
        if node.method == "NATURAL":
            late.append(lambda: self._read(frame.shared()))
        late.append(lambda: self._parts(node, frame, ("this",)))
        for each in node.args.get("using") or ():
            if isinstance(each, exp.Literal):
                self._identifier(each, frame)

    def _named_table(self, node: exp.Table, frame: Frame, late: list[Callable[[], None]]) -> None:
        frame.add(self._called(node), self._source_of(node, frame))
        late.append(lambda: self._parts(node, frame, _NAMING))
        self._joins(node, frame, late)

    def _called(self, node: exp.Table) -> Name:
        """Return the name that a table has in a query."""
        return self._name(node.args["alias"] if node.alias else node)

    def _source_of(self, node: exp.Table, frame: Frame) -> Source:
        """Return what a table's name stands for."""
        made = None if node.db else frame.made_by_with(self._name(node))
        renamed = self._renamed(node)
        if made is not None:
            return made if renamed is None else Source(columns=renamed)
        relations = self._relations(node)
        return Source(relations, renamed or self._columns(relations), renamed=bool(renamed))

    def _bracketed(self, node: exp.Subquery, frame: Frame, late: list[Callable[[], None]]) -> None:
        """Tables joined in brackets; with a name of their own, it stands for all of them."""
        own = Frame(frame.outer) if node.alias else frame
        self._source(node.this, own, late)
        self._joins(node, own, late)
        if node.alias:
            relations = [each for _, source in own.sources for each in source.relations]
            renamed = self._renamed(node) is not None
            renamed = renamed or any(each.renamed for _, each in own.sources)
            frame.add(self._name(node.args["alias"]), Source(relations, renamed=renamed))

    def _renamed(self, node: exp.Expr) -> Columns | None:
        """Return the columns that an alias gives names to, maybe not to all, or None."""
        alias = node.args.get("alias")
        columns = alias.args.get("columns") if isinstance(alias, exp.TableAlias) else None
        return Columns(frozenset(self._name(each).exact for each in columns)) if columns else None
