"""Through one parsed statement: every column that it reads, writes or erases."""

from collections.abc import Callable, Iterable

from sqlglot import exp

from purposeguard.integrations.sql.catalog import Catalog, Column, Relation, folded
from purposeguard.integrations.sql.frames import Frame, Name, Source
from purposeguard.integrations.sql.walking import Walk
from purposeguard.integrations.sql.words import HiddenError


class FullWalk(Walk):
    """What statements touch, collected while walking through them."""

    def __init__(self, catalog: Catalog, *, sqlite: bool, translated: bool = False) -> None:
        super().__init__(catalog, sqlite=sqlite, translated=translated)
        self.filters: set[Column] = set()
        """What is read only to say which rows to erase."""
        self.writes: set[Column] = set()
        self.erases: set[Column] = set()
        self._walks |= {
            exp.Command: self._command,
            exp.Copy: self._copy,
            exp.Delete: self._delete,
            exp.Insert: self._insert,
            exp.Merge: self._merge,
            exp.TruncateTable: self._truncate,
            exp.Update: self._update,
        }

    def _target(self, node: exp.Expr, frame: Frame) -> tuple[tuple[Relation, ...], Frame]:
        """Return the relations that a statement changes, and the frame that has them."""
        own = Frame(frame)
        table = node.this if isinstance(node, exp.Schema) else node
        if not isinstance(table, exp.Table):
            raise HiddenError("what it changes is no table")
        relations = self._relations(table)
        source = Source(relations, self._columns(relations))
        for name in (self._called(table), _OLD, _NEW):
            own.add(name, source)
        return relations, own

    def _insert(self, node: exp.Insert, frame: Frame) -> None:
        frame = self._with(node, frame)
        relations, own = self._target(node.this, frame)
        listed = node.this.expressions if isinstance(node.this, exp.Schema) else None
        alias = node.this.args.get("alias")
        if alias is not None and alias.args.get("columns"):  # as SQLGlot takes `t AS a (x, y)`
            listed = alias.args["columns"]
        self._write(relations, listed)
        if node.args.get("alternative") == "REPLACE":
            self._erase(relations)
        if node.expression:
            self._query(node.expression, frame)
        own.add(_EXCLUDED, Source())
        conflict = node.args.get("conflict")
        if conflict is not None:
            self._set(conflict.expressions, relations, own)
            self._parts(conflict, own, ("expressions",))
        self._parts(node, own, ("this", "with_", "expression", "conflict"))

    def _update(self, node: exp.Update, frame: Frame) -> None:
        frame = self._with(node, frame)
        relations, own = self._target(node.this, frame)
        self._draw_on(node, own)
        self._set(node.expressions, relations, own)
        self._parts(node, own, ("this", "with_", "from_", "expressions"))

    def _delete(self, node: exp.Delete, frame: Frame) -> None:
        frame = self._with(node, frame)
        relations, own = self._target(node.this, frame)
        self._erase(relations)
        kept, self.reads = self.reads, set()
        self._draw_on(node, own)
        self._parts(node, own, ("this", "with_", "using", "returning"))
        self.filters |= self.reads
        self.reads = kept
        if node.args.get("returning"):
            self._any(node.args["returning"], own)

    def _merge(self, node: exp.Merge, frame: Frame) -> None:
        frame = self._with(node, frame)
        relations, own = self._target(node.this, frame)
        late: list[Callable[[], None]] = []
        self._source(node.args["using"], own, late)
        self._run(late, own)
        for when in node.args["whens"].expressions:
            then = when.args.get("then")
            if isinstance(then, exp.Insert):
                listed = list(then.this.find_all(exp.Identifier)) if then.expression else None
                self._write(relations, listed or None)
                self._parts(then, own, ("this",))
            elif isinstance(then, exp.Update):
                self._set(then.expressions, relations, own)
            elif then is not None and then.name.upper() == "DELETE":
                self._erase(relations)
            self._parts(when, own, ("then",))
        self._parts(node, own, ("this", "with_", "using", "whens"))

    def _draw_on(self, node: exp.Expr, own: Frame) -> None:
        """Add what else a statement draws on to the frame of what it changes."""
        late: list[Callable[[], None]] = []
        self._joins(node.this, own, late)
        for part in (node.args.get("from_"), *(node.args.get("using") or ())):
            if isinstance(part, exp.Expr):
                self._source(part, own, late)
        self._run(late, own)

    def _set(
        self, assignments: Iterable[exp.Expr], relations: tuple[Relation, ...], own: Frame
    ) -> None:
        for each in assignments:
            if isinstance(each, exp.EQ):
                self._write(relations, list(each.this.find_all(*_NAMES)))
                self._any(each.expression, own)
            else:
                raise HiddenError("what it sets can't be told")

    def _write(self, relations: tuple[Relation, ...], listed: list[exp.Expr] | None) -> None:
        for relation in relations:
            names = relation.columns if listed is None else {folded(each.name) for each in listed}
            self.writes.update(filter(None, map(relation.column, names)))

    def _erase(self, relations: tuple[Relation, ...]) -> None:
        self.erases.update(column for each in relations for column in each.columns.values())

    def _truncate(self, node: exp.TruncateTable, _: Frame) -> None:
        for each in node.find_all(exp.Table):
            self._erase(self._relations(each))

    def _copy(self, node: exp.Copy, frame: Frame) -> None:
        target = node.this
        if not isinstance(target, exp.Table | exp.Schema):
            self._any(target, frame)
            return
        relations, own = self._target(target, frame)
        listed = target.expressions if isinstance(target, exp.Schema) else None
        if node.args.get("kind"):
            self._write(relations, listed)
        elif listed is None:
            self._read(own.all())
        else:
            for each in listed:
                self._any(each, own)

    def statement(self, node: exp.Expr) -> None:
        """Walk through one statement.

        Raises HiddenError for what SQLGlot has parsed as something else.
        """
        if not isinstance(node, _STATEMENTS):
            raise HiddenError("SQLGlot can't parse it")
        super().statement(node)

    def _command(self, _: exp.Command, __: Frame) -> None:
        raise HiddenError("SQLGlot can't parse it")


_OLD, _NEW, _EXCLUDED = (Name(each, each) for each in ("old", "new", "excluded"))
"""What a changed row is called in `RETURNING` and `ON CONFLICT`."""

_NAMES = (exp.Identifier, exp.Literal)
"""What may name a column that is set: in SQLite, a text as well."""

_STATEMENTS = (
    exp.Copy,
    exp.Delete,
    exp.Insert,
    exp.Merge,
    exp.Query,
    exp.TruncateTable,
    exp.Update,
    exp.Values,
)
