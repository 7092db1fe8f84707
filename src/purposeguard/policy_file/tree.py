"""A policy file's text as plain data, with the place of everything in it.

No YAML loader is safe for a policy as it comes: duplicate keys, aliases, merge keys, tags, implicit
types and cut-off files pass. So the data are built here, from the events of PyYAML's pure parser,
and whatever a policy has no use for is a problem. Scalars stay text, however they are written.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import yaml
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

MAX_NODES = 20_000
"""How many values and keys a policy may have by default."""

MAX_DEPTH = 12
"""How deep a policy may be nested."""

END = "..."
"""The line that a YAML policy ends with: without it a file cut off by accident could still load."""

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})

# Control characters, other line breaks, marks that turn the reading direction, byte order marks.
_FORBIDDEN = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
    "\ud800-\udfff\ufeff\ufffe\uffff]"
)
_BARE_RETURN = re.compile("\r(?!\n)")


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

    def place(self, path: Path, *, on_key: bool = False) -> Place:
        """Return the place of a path, or of the nearest thing around it that is there."""
        while path:
            for found in (self.keys, self.values) if on_key else (self.values, self.keys):
                if path in found:
                    return found[path]
            path, on_key = path[:-1], True
        return self.values.get((), Place(1, 1))

    def tell(self, message: str, place: Place | None, path: Path | None = None) -> None:
        """Keep one more problem; `path` is what it spoils."""
        if path is not None:
            self.spoiled.add(path)
        problem = Problem(message)
        self.problems.append(problem if place is None else problem.located("", *place))


class _Unreadable(Exception):  # noqa: N818 - never leaves this module
    """The rest of the text can't be made sense of; what is wrong has been told."""


def read_tree(raw: bytes, *, max_nodes: int = MAX_NODES) -> Tree:
    """Return the tree of a policy's bytes, with every problem that was met on the way."""
    tree = Tree()
    try:
        text = _decoded(raw, tree)
        if text.lstrip(" \t\r\n").startswith("{"):
            text = _as_yaml(text, tree)
        else:
            _check_layout(text, tree)
        _Builder(tree, max_nodes).build(text)
    except _Unreadable:
        tree.data = None
    return tree


def _decoded(raw: bytes, tree: Tree) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        tree.tell("the file begins with a byte order mark: save it as plain UTF-8", Place(1, 1))
        raise _Unreadable
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        tree.tell("the file is not UTF-8: save it as plain UTF-8", _place_after(before))
        raise _Unreadable from None
    bad = _FORBIDDEN.search(text) or _BARE_RETURN.search(text)
    if bad:
        tree.tell(_forbidden(bad[0]), _place_after(text[: bad.start()]))
        raise _Unreadable
    return text


def _forbidden(character: str) -> str:
    return (
        f"the character U+{ord(character):04X} can't be in a policy, "
        "it would be read in ways that can't be seen: take it out"
    )


def _place_after(text: str) -> Place:
    return Place(text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)


def _as_yaml(text: str, tree: Tree) -> str:
    """Check that the text is JSON, and return it in the form in which it is YAML as well."""
    try:
        json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        message = f"a file that begins with `{{` is read as JSON, and this is none: {error.msg}"
        tree.tell(message, Place(error.lineno, error.colno))
        raise _Unreadable from None
    except RecursionError:
        _too_deep(tree, None)
    except ValueError:
        tree.tell("`NaN` and `Infinity` are no JSON: give a value that can be", None)
        raise _Unreadable from None
    return text.replace("\t", " ")  # JSON has them between its tokens only


def _no_constant(_: str) -> None:
    raise ValueError


def _check_layout(text: str, tree: Tree) -> None:
    tab = text.find("\t")
    if tab >= 0:
        tree.tell("a tab can't be seen to differ from blanks: use blanks", _place_after(text[:tab]))
        raise _Unreadable
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if line.startswith("%"):
            tree.tell("a directive has no place in a policy: leave the line out", Place(number, 1))
            raise _Unreadable
    ends = [number for number, line in enumerate(lines, 1) if line.rstrip("\r") == END]
    if lines[-1] or not ends or ends[-1] != len(lines) - 1:
        tree.tell(
            f"the end marker is missing, the file may be cut off: end it with a line `{END}`",
            _place_after(text),
        )
        raise _Unreadable
    if len(ends) > 1:
        tree.tell(
            f"`{END}` ends the policy, and more follows: leave one at the end", Place(ends[0], 1)
        )
        raise _Unreadable


def _too_deep(tree: Tree, place: Place | None) -> None:
    tree.tell(f"the file is nested deeper than {MAX_DEPTH} levels: flatten it", place)
    raise _Unreadable


def _at(event: Event) -> Place:
    mark: Any = event.start_mark
    return Place(mark.line + 1, mark.column + 1)


class _Builder:
    """Builds a tree from parse events, and tells what has no place in a policy."""

    def __init__(self, tree: Tree, max_nodes: int) -> None:
        self._tree = tree
        self._max_nodes = max_nodes
        self._nodes = 0

    def build(self, text: str) -> None:
        try:
            self._document(yaml.parse(text, Loader=yaml.SafeLoader))
        except yaml.MarkedYAMLError as error:
            mark: Any = error.problem_mark or error.context_mark
            place = Place(mark.line + 1, mark.column + 1) if mark else None
            self._tree.tell(f"this is no YAML: {error.problem or error.context}", place)
            raise _Unreadable from None
        except (yaml.YAMLError, ValueError, OverflowError, IndexError, AttributeError):
            # PyYAML's pure parser lets some of these through for malformed input.
            self._tree.tell("this is no YAML: the parser can't go on", None)
            raise _Unreadable from None

    def _document(self, events: Iterator[Event]) -> None:
        documents = 0
        for event in events:
            if isinstance(event, DocumentStartEvent):
                documents += 1
                if documents == 1:
                    self._tree.data = self._node(next(events), events, ())
                else:
                    self._tree.tell("a second document begins here: keep one in a file", _at(event))
                    raise _Unreadable

    def _node(self, event: Event, events: Iterator[Event], path: Path) -> Any:
        tree = self._tree
        place = _at(event)
        tree.values[path] = place
        self._nodes += 1
        if self._nodes > self._max_nodes:
            tree.tell(
                f"the file has more than {self._max_nodes} keys and values: make it smaller, "
                "or raise the limit with `load_policy(…, max_nodes=…)`",
                place,
            )
            raise _Unreadable
        if isinstance(event, AliasEvent):
            tree.tell("an alias can't be followed safely: write the value out", place, path)
            return None
        if event.anchor is not None:  # type: ignore[attr-defined]
            tree.tell("an anchor has no place in a policy: leave it out", place)
        if event.tag is not None:  # type: ignore[attr-defined]
            tree.tell("a tag has no place in a policy: leave it out", place)
        if isinstance(event, ScalarEvent):
            return self._scalar(event, place, path)
        if not isinstance(event, CollectionStartEvent):
            raise _Unreadable
        if len(path) >= MAX_DEPTH:
            _too_deep(tree, place)
        if isinstance(event, MappingStartEvent):
            return self._mapping(events, path)
        return self._list(events, path)

    def _scalar(self, event: ScalarEvent, place: Place, path: Path) -> str | None:
        if event.style is None and event.value in _NULLS:
            message = "there is no value here: give one, or leave the key out"
            self._tree.tell(message, place, path)
            return None
        try:
            # JSON writes a character beyond U+FFFF as two escapes, which belong together.
            value: str = event.value.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError:
            message = "half of a surrogate pair is no character: correct the escape"
            self._tree.tell(message, place, path)
            return ""
        bad = _FORBIDDEN.search(value) or _BARE_RETURN.search(value)
        if bad:
            self._tree.tell(_forbidden(bad[0]), place, path)
        return value

    def _mapping(self, events: Iterator[Event], path: Path) -> dict[str, Any]:
        mapping: dict[str, Any] = {}
        tree = self._tree
        for event in events:
            if isinstance(event, CollectionEndEvent):
                break
            key = self._key(event, events, path)
            inner = next(events)
            if key is None:
                self._node(inner, events, (*path, ""))
                continue
            at = (*path, key)
            if key in mapping:
                first = tree.keys[at]
                tree.tell(
                    f"{shown_text(key)} stands on line {first.line} already: keep one of them",
                    _at(event),
                )
                self._node(inner, events, (*path, ""))
                continue
            tree.keys[at] = _at(event)
            mapping[key] = self._node(inner, events, at)
        return mapping

    def _key(self, event: Event, events: Iterator[Event], path: Path) -> str | None:
        """Return a key, or None where it can't be one."""
        value = self._node(event, events, (*path, ""))
        if not isinstance(event, ScalarEvent):
            self._tree.tell("a key has to be a plain word: give it one", _at(event))
        if not isinstance(value, str):
            return None
        if value == "<<" and event.style is None:  # type: ignore[attr-defined]
            self._tree.tell("a merge key has no place in a policy: write it out", _at(event))
            return None
        return value

    def _list(self, events: Iterator[Event], path: Path) -> list[Any]:
        entries: list[Any] = []
        for event in events:
            if isinstance(event, CollectionEndEvent):
                break
            entries.append(self._node(event, events, (*path, len(entries))))
        return entries


def shown_text(text: str) -> str:
    """Return text of a policy file as messages show it: in backticks, or by its length."""
    if len(text) <= 64 and text.isprintable() and "`" not in text and text:
        return f"`{text}`"
    return f"a name of {len(text)} characters"
