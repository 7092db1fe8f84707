"""A policy file's text as plain data, with the place of everything in it.

No YAML loader is safe for a policy as it comes: duplicate keys, aliases, merge keys, tags, implicit
types and cut-off files pass. So the data are built here, from parse events, and whatever a policy
has no use for is a problem. Scalars stay text, however they are written.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
)

from purposeguard.policy.problems import Path, Problem
from purposeguard.policy_file.syntax import Unreadable, events_of
from purposeguard.policy_file.text import forbidden, read_text

MAX_NODES = 20_000
"""How many values and keys a policy may have by default."""

MAX_DEPTH = 12
"""How deep a policy may be nested."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class Place(NamedTuple):
    """A line and a column, counted from 1."""

    line: int
    column: int


@dataclass
class Tree:
    """Plain data (dicts, lists and text), and where each key and value of it stands."""

    data: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    spoiled: set[Path] = field(default_factory=set)
    """Where a problem was told already, so that the schema need not tell it again."""
    thinned: set[Path] = field(default_factory=set)
    """Where keys are missing because they can't be any, which was told already."""
    left_out: list[tuple[str | None, Any]] = field(default_factory=list)
    """Entries that `data` lacks: their key is there already, or can't be one (None)."""

    def place(self, path: Path, *, on_key: bool = False) -> Place:
        """Return the place of a path, or of the nearest thing around it that is there."""
        while path:
            for found in (self.keys, self.values) if on_key else (self.values, self.keys):
                if path in found:
                    return found[path]
            path, on_key = path[:-1], True
        return self.values.get((), Place(1, 1))

    def tell(self, message: str, place: Place, path: Path | None = None) -> None:
        """Keep one more problem; `path` is what it spoils."""
        if path is not None:
            self.spoiled.add(path)
        self.problems.append(Problem(message).located("", *place))


def read_tree(raw: bytes, *, max_bytes: int, max_nodes: int) -> Tree:
    """Return the tree of a policy's bytes, with every problem that was met on the way."""
    text, problems = read_text(raw, max_bytes)
    tree = Tree(problems=problems)
    if problems:
        return tree
    try:
        _Builder(tree, max_nodes).build(events_of(text))
    except Unreadable as error:
        tree.tell(error.message, Place(*error.place))
        tree.data = None
    return tree


def _at(event: Event) -> Place:
    mark: Any = event.start_mark
    return Place(mark.line + 1, mark.column + 1)


class _Builder:
    """Builds a tree from parse events, and tells what has no place in a policy."""

    def __init__(self, tree: Tree, max_nodes: int) -> None:
        self._tree = tree
        self._max_nodes = max_nodes
        self._nodes = 0

    def build(self, events: Iterator[Event]) -> None:
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise Unreadable(
                        "a second document begins here: keep one in a file", *_at(event)
                    )
                self._tree.data = self._node(next(events), events, ())

    def _node(self, event: Event, events: Iterator[Event], path: Path) -> Any:
        place = self._tree.values[path] = _at(event)
        self._enter(event, place)
        if isinstance(event, AliasEvent):
            self._tell_alias(place, path)
            return None
        if isinstance(event, ScalarEvent):
            return self._scalar(event, place, path)
        if len(path) >= MAX_DEPTH:
            raise Unreadable(f"this is nested deeper than {MAX_DEPTH} levels: flatten it", *place)
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, path)
        return self._list(events, path)

    def _enter(self, event: Event, place: Place) -> None:
        """Count a key or value, and tell of what may stand before any."""
        self._nodes += 1
        if self._nodes > self._max_nodes:
            message = (
                f"the file has more than {self._max_nodes} keys and values: "
                "make it smaller, or raise the limit with `load_policy(…, max_nodes=…)`"
            )
            raise Unreadable(message, *place)
        if isinstance(event, ScalarEvent | CollectionStartEvent):
            if event.anchor is not None:
                self._tree.tell("an anchor has no place in a policy: leave it out", place)
            if event.tag is not None:
                self._tree.tell("a tag has no place in a policy: leave it out", place)

    def _tell_alias(self, place: Place, path: Path | None = None) -> None:
        self._tree.tell("an alias has no place in a policy: write the value out", place, path)

    def _scalar(self, event: ScalarEvent, place: Place, path: Path | None) -> str | None:
        """Return a scalar as text, or None where a problem was told."""
        message: str | None
        if event.style is None and event.value in _NULLS and path != ():
            message = "there is no value here: give one, or leave the key out"
        else:
            try:
                # Two escapes in a row may be the halves of one character.
                value: str = event.value.encode("utf-16", "surrogatepass").decode("utf-16")
            except UnicodeDecodeError:
                message = "half of a surrogate pair is no character: correct the escape"
            else:
                message = forbidden(value)
                if message is None:
                    return value
        self._tree.tell(message, place, path)
        return None

    def _mapping(self, events: Iterator[Event], path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        keys = self._tree.keys
        while not isinstance(event := next(events), CollectionEndEvent):
            key = self._key(event, events, path)
            if key is not None and key not in mapping:
                at = (*path, key)
                keys[at] = _at(event)
                mapping[key] = self._node(next(events), events, at)
                continue
            if key is None:
                self._tree.thinned.add(path)
            else:
                first = keys[*path, key].line
                message = f"{shown_text(key)} stands on line {first} already: keep one of them"
                self._tree.tell(message, _at(event))
            self._tree.left_out.append((key, self._node(next(events), events, (*path, ""))))
        return mapping

    def _key(self, event: Event, events: Iterator[Event], path: Path) -> str | None:
        """Return a key, or None where it can't be one."""
        place = _at(event)
        if isinstance(event, CollectionStartEvent):
            self._tree.tell("a key has to be a plain word: give it one", place)
            self._node(event, events, (*path, ""))
            return None
        self._enter(event, place)
        if not isinstance(event, ScalarEvent):
            self._tell_alias(place)
            return None
        if event.style is None and event.value in _NULLS:
            self._tree.tell("a key is missing or null here: give it a name", place)
            return None
        if event.style is None and event.value == "<<":
            self._tree.tell("a merge key has no place in a policy: write it out", place)
            return None
        return self._scalar(event, place, None)

    def _list(self, events: Iterator[Event], path: Path) -> list[Any]:
        entries: list[Any] = []
        texts: set[str] = set()
        while not isinstance(event := next(events), CollectionEndEvent):
            entry = self._node(event, events, (*path, len(entries)))
            if isinstance(entry, str):
                if entry in texts:
                    message = f"{shown_text(entry)} stands in this list already: keep one of them"
                    self._tree.tell(message, _at(event))
                texts.add(entry)
            entries.append(entry)
        return entries


def shown_text(text: str) -> str:
    """Return text of a policy file as messages show it: in backticks, or by its length."""
    if not text:
        return "an empty text"
    if len(text) <= 64 and text.isprintable() and "`" not in text:
        return f"`{text}`"
    return f"a text of {len(text)} characters"
