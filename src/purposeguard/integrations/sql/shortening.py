"""Texts with their lists of like values cut to one: they differ in nothing but number.

Names are never cut and lists keep one of each form, so that what a text touches stays the same.
This looks at less than a parser does, and is that much faster. What may be misread is left whole.
"""

import re

_LEXEME = r"""
    (?P<skipped>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<string>'[^']*')
    |(?P<name>"[^"]*"|(?:[A-Za-z_]|[^\x00-\x7f])(?:[\w$]|[^\x00-\x7f])*BRACKETS)
    |(?P<value>\?|\$[0-9]+)
    |(?P<number>[0-9][\w.]*)
    |(?P<strange>['"`$]|/\*)
    |(?P<sign>.)
"""
_LEXEMES = {
    sqlite: re.compile(
        _LEXEME.replace("BRACKETS", r"|`[^`]*`|\[[^]]*(?:\]|\Z)" if sqlite else ""),
        re.VERBOSE | re.DOTALL,
    )
    for sqlite in (True, False)
}

_LISTS = {"IN": "(", "ARRAY": "["}
"""The words before a bracket in which each item is a value like the others."""

_OF_QUERIES = frozenset(["EXCEPT", "FROM", "INTERSECT", "SELECT", "TABLE", "UNION", "WITH"])
"""The words that say that a bracket holds a query, and no list."""


class _Level:
    """What is inside one pair of brackets."""

    __slots__ = ("rows", "seen", "start")

    def __init__(self, start: int, *, lists: bool) -> None:
        self.start = start
        """Where the item begins that is looked at."""
        self.seen: set[str] | None = set() if lists else None
        """The forms of the items of a list, or None outside of lists."""
        self.rows = False
        """Whether the items are the rows of `VALUES`."""


class _Text:
    """A text as it is kept, lexeme by lexeme, and the form of each: empty where it says nothing."""

    def __init__(self) -> None:
        self.kept: list[str] = []
        self.forms: list[str] = []
        self.levels = [_Level(0, lists=False)]
        self._word = ""

    def add(self, lexeme: str, form: str) -> None:
        """Add a lexeme, and drop the item that it ends if there is one like it."""
        level = self.levels[-1]
        if not form:
            pass
        elif lexeme in ("(", "["):
            lists = _LISTS.get(self._word) == lexeme
            self.levels.append(_Level(len(self.kept) + 1, lists=lists))
        elif lexeme in (")", "]") and len(self.levels) > 1:
            if not level.rows:
                self._end_item(level)
            self.levels.pop()
        elif lexeme == ",":
            if not level.rows:
                self._end_item(level)
            level.start = len(self.kept)
        elif level.rows:
            level.rows, level.seen = False, None
        self.kept.append(lexeme)
        self.forms.append(form)
        if not form:
            return
        self._word = lexeme.upper()
        level = self.levels[-1]
        if lexeme == ")" and level.rows:
            self._end_item(level)
        elif self._word == "VALUES":
            level.rows, level.seen, level.start = True, set(), len(self.kept)
        elif self._word in _OF_QUERIES:
            level.seen = None

    def _end_item(self, level: _Level) -> None:
        if level.seen is None:
            return
        form = "\0".join(filter(None, self.forms[level.start :])).removeprefix(",\0")
        if form in level.seen:
            del self.kept[level.start :], self.forms[level.start :]
        level.seen.add(form)


def shortened(text: str, *, sqlite: bool) -> str:
    """Return a text with each list of like values cut to one of each form.

    Where placeholders are numbered, all get the same number. SQLite takes a string for a name where
    a name belongs, so that there strings are alike only if they are the same.
    """
    if "\\" in text:
        return text
    cut = _Text()
    for found in _LEXEMES[sqlite].finditer(text):
        lexeme, kind = found[0], found.lastgroup
        form = lexeme
        if kind == "skipped":
            if "/*" in lexeme[1:] or (lexeme[0] == "-" and "\r" in lexeme.rstrip("\r")):
                return text
            form = ""
        elif kind == "strange":
            return text
        elif kind == "value":
            lexeme = form = "?" if lexeme == "?" else "$1"
        elif kind == "number":
            form = "0"
        elif kind == "string" and not sqlite:
            form = "''"
        cut.add(lexeme, form)
    return "".join(cut.kept)
