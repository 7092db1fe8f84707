"""What a statement touches: read once, kept by its text."""

import logging
import threading
from collections.abc import Iterable, Iterator
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from sqlglot import Token, TokenType, exp
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import ErrorLevel, SqlglotError

from purposeguard.integrations.sql.catalog import (
    Catalog,
    Column,
    Items,
    Relation,
    categories,
    folded,
)
from purposeguard.integrations.sql.changing import FullWalk
from purposeguard.integrations.sql.shortening import shortened
from purposeguard.integrations.sql.walking import OF_TEXTS
from purposeguard.integrations.sql.words import (
    BoundlessError,
    HiddenError,
    parts,
    without_percent,
)
from purposeguard.interrupts import let_through

DIALECTS = {"sqlite": "sqlite", "postgresql": "postgres"}
"""SQLAlchemy's names of the dialects that are read, and SQLGlot's."""

_KEPT = 1024
"""How many texts a reader remembers."""

_LONG = 16 * 1024
"""Characters beyond which a text is remembered by its digest."""

_NO_NAMES = frozenset({TokenType.STRING, TokenType.NUMBER})


class Touch(NamedTuple):
    """One access that a statement makes."""

    category: str
    items: tuple[str, ...] | None
    operation: str | None
    """None stands for `use`."""
    columns: tuple[tuple[Column, Items], ...]
    """The columns that are touched, and the items of the category in each."""


class Reading:
    """What one text touches.

    Where that can't be told, `cause` says why, and `touches` has the categories whose data it may
    touch, with no columns.
    """

    __slots__ = ("cause", "touches")

    def __init__(self, touches: Iterable[Touch] = (), cause: str = "") -> None:
        self.touches = tuple(touches)
        self.cause = cause


class Reader:
    """Reads the statements of one dialect over one catalog."""

    def __init__(self, catalog: Catalog, dialect: str) -> None:
        """`dialect` is one of `DIALECTS`."""
        self._catalog = catalog
        self._dialect = Dialect.get_or_raise(DIALECTS[dialect])
        self._sqlite = dialect == "sqlite"
        self.read_anew = 0
        """How often a text was read that was not remembered as it is."""
        self._as_written = lru_cache(_KEPT)(self._shorten)
        self._as_shortened = lru_cache(_KEPT)(self._read)
        self._long: dict[tuple[bytes, bool, bool], Reading] = {}

    def read(self, text: str, *, percent: bool = False, translated: bool = False) -> Reading:
        """Return what a text touches.

        `percent` says that its placeholders are `%s` or `%(name)s`, `translated` that the schemas
        in it may not be the ones in the catalog.
        """
        try:
            if len(text) > _LONG:
                return self._read_long(text, percent, translated)
            return self._as_written(text, percent, translated)
        except RecursionError:
            cause = "reading it goes deeper than Python's recursion limit"
        except Exception as error:  # noqa: BLE001 - a parser may fail in any way on a text
            let_through(error)
            cause = "SQLGlot can't parse it"
        return self._hidden(text, cause)  # not remembered: it may be read another time

    def _read_long(self, text: str, percent: bool, translated: bool) -> Reading:
        digest = blake2b(text.encode(errors="surrogatepass")).digest()
        key = (digest, percent, translated)
        reading = self._long.get(key)
        if reading is None:
            reading = self._shorten(text, percent, translated)
            if len(self._long) >= _KEPT:
                self._long.clear()
            self._long[key] = reading
        return reading

    def _shorten(self, text: str, percent: bool, translated: bool) -> Reading:
        self.read_anew += 1
        if percent:
            text = without_percent(text)
        text = shortened(text, sqlite=self._sqlite)
        if len(text) > _LONG:
            return self._read(text, translated)
        return self._as_shortened(text, translated)

    def _read(self, text: str, translated: bool) -> Reading:
        walk = FullWalk(self._catalog, sqlite=self._sqlite, translated=translated)
        try:
            with _quieting:
                self._walk(walk, text)
        except BoundlessError as error:
            return _hidden(self._catalog.categories, str(error), "store")
        except HiddenError as error:
            return self._hidden(text, str(error))
        except SqlglotError:
            return self._hidden(text, "SQLGlot can't parse it")
        if walk.unknown and categories(walk.met):
            cause = "it names a column of what it doesn't name itself"
            return _hidden(categories(walk.met), cause, _operation(text))
        return Reading(_touches(walk))

    def _walk(self, walk: FullWalk, text: str) -> None:
        name = "sqlite" if self._sqlite else "postgresql"
        for tokens in list(parts(text, name, self._dialect.tokenize)):  # whether all can be told
            parser = self._dialect.parser(error_level=ErrorLevel.IMMEDIATE)
            for node in parser.parse(tokens, text):
                if node is None:
                    continue
                walk.written = _written(tokens)
                walk.statement(node)
                self._look_for_lost(walk, node)

    def _look_for_lost(self, walk: FullWalk, node: exp.Expr) -> None:
        """Count as read what is named in the text, and what the parser has made no name of."""
        named = {folded(each.name) for each in node.find_all(*_NAMED)}
        lost = walk.written - named
        for name in lost & self._catalog.tagged.keys():
            for relation in self._catalog.tagged[name]:
                walk.met.add(relation)
                walk.reads.update(relation.columns.values())
        for relation in walk.met:
            walk.reads.update(relation.columns[name] for name in lost & relation.columns.keys())

    def _hidden(self, text: str, cause: str) -> Reading:
        return _hidden(self._maybe(text), cause, _operation(text))

    def _maybe(self, text: str) -> tuple[str, ...]:
        """The categories that a text may touch: of the tables that it names, or else all."""
        text = text.lower()
        if 'u&"' in text or any(name in text for name in OF_TEXTS):
            return self._catalog.categories
        named: list[Relation] = []
        for name, relations in self._catalog.tagged.items():
            if name in text:
                named += relations
        return categories(named) or self._catalog.categories


def _written(tokens: Iterable[Token]) -> set[str]:
    """Return the folded words and names in a statement, without what stands in texts."""
    return {folded(each.text) for each in tokens if each.token_type not in _NO_NAMES}


def _hidden(maybe: Iterable[str], cause: str, operation: str | None) -> Reading:
    return Reading((Touch(category, None, operation, ()) for category in maybe), cause)


def _operation(text: str) -> str | None:
    """Return what may be done by a text that can't be told: only a query alone changes nothing."""
    return None if text.lstrip()[:6].upper() == "SELECT" and ";" not in text else "store"


_NAMED = (exp.Identifier, exp.Var, exp.Anonymous)


def _touches(walk: FullWalk) -> Iterator[Touch]:
    """Yield one access for each category, and one more where it is erased as well.

    Erasing is an access of its own, since any purpose permits it: it must not carry a reading or a
    writing along. What only says which rows to erase belongs to it.
    """
    erased, stored, used = map(_by_category, (walk.erases, walk.writes, walk.reads))
    for category, columns in _by_category(walk.filters).items():
        (erased if category in erased else used).setdefault(category, {}).update(columns)
    for category in sorted({*erased, *stored, *used}):
        touched = {**used.get(category, {}), **stored.get(category, {})}
        if touched:
            yield _touch(category, touched, "store" if category in stored else None)
        if category in erased:
            yield _touch(category, erased[category], "erase")


def _by_category(columns: Iterable[Column]) -> dict[str, dict[Column, Items]]:
    found: dict[str, dict[Column, Items]] = {}
    for column in columns:
        for category, items in column.tags.items():
            found.setdefault(category, {})[column] = items
    return found


def _touch(category: str, columns: dict[Column, Items], operation: str | None) -> Touch:
    named = sorted(columns.items(), key=lambda each: each[0].shown)
    items: set[str] | None = set()
    for _, each in named:
        items = None if items is None or each is None else items | each
    return Touch(category, None if items is None else tuple(sorted(items)), operation, tuple(named))


class _Quiet(logging.Filter):
    """Keeps SQLGlot from logging a text that is read here: its values are personal data."""

    def __init__(self) -> None:
        super().__init__()
        self._here = threading.local()

    def __enter__(self) -> None:
        self._here.reading = True

    def __exit__(self, *_: object) -> None:
        self._here.reading = False

    def filter(self, _: logging.LogRecord) -> bool:
        return not getattr(self._here, "reading", False)


_quieting = _Quiet()
logging.getLogger("sqlglot").addFilter(_quieting)
