"""The sheet as Markdown: purposes as rows there, since pages are higher than wide."""

import re
from collections.abc import Iterable, Iterator

from purposeguard.cli.sheet.content import Grant, Keys, Kind, Section, Sheet, Square, Value
from purposeguard.cli.sheet.marks import MARKS

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~])")
_PLAIN = re.compile(r"[A-Za-z0-9_.:()/ -]+")
"""What a code span holds without harm to a table."""


def as_markdown(sheet: Sheet) -> str:
    """Return the sheet as GitHub-flavoured Markdown."""
    return "\n".join(_lines(sheet)) + "\n"


def _lines(sheet: Sheet) -> Iterator[str]:
    yield f"# Purposes of {_text(sheet.name)}"
    yield ""
    for label, value in sheet.facts[1:]:
        yield f"- **{label}**: {_text(value)}"
    yield ""
    yield "## Matrix"
    yield ""
    yield ", ".join(f"{MARKS[kind]} {kind}" for kind in Kind if kind is not Kind.NONE) + (
        "; an empty cell is not granted, and what is not granted is refused."
    )
    yield ""
    yield from _matrix(sheet)
    if sheet.notes:
        yield ""
        yield from (f"{number}. {_text(note)}" for number, note in enumerate(sheet.notes, 1))
    for section in sheet.sections:
        yield ""
        yield f"## {section.title}"
        yield ""
        yield _text(section.about)
        yield ""
        yield from _section(section)


def _matrix(sheet: Sheet) -> Iterator[str]:
    yield from _head(["Purpose", *(f"`{line.category}`" for line in sheet.lines)])
    for group in sheet.groups:
        for column in group.columns:
            squares = (line.squares[column.purpose] for line in sheet.lines)
            yield _row([f"`{column.purpose}`", *map(_square, squares)])


def _square(square: Square) -> str:
    grants = list(map(_grant, square.grants))
    if square.prohibited:
        grants = [f"~~{grant}~~" for grant in grants]
        grants.insert(0, f"{MARKS[Kind.PROHIBITED]} {_text(', '.join(square.prohibited))}")
    return "<br>".join(grants)


def _grant(grant: Grant) -> str:
    parts = [f"{MARKS[grant.kind]} {_text(', '.join(grant.clauses))}"]
    parts.append("all items" if grant.all_items else _keys(grant.items))
    parts += [f"needs {_keys(grant.needs)}"] if grant.needs else []
    parts += [f"only to {_keys(grant.only_to)}"] if grant.only_to else []
    parts += ["strict reading"] if grant.strict else []
    parts += [f"through {_keys([grant.through])}"] if grant.through else []
    return "; ".join(parts) + (f" ({grant.note})" if grant.note else "")


def _section(section: Section) -> Iterator[str]:
    yield from _head(section.columns)
    for row in section.rows:
        yield _row(map(_value, row))


def _value(value: Value) -> str:
    return _keys(value) if isinstance(value, Keys) else _text(value)


def _keys(keys: Iterable[str]) -> str:
    return ", ".join(f"`{key}`" if _PLAIN.fullmatch(key) else _text(key) for key in keys)


def _text(text: str) -> str:
    """Return text that Markdown and HTML show as it is, on one line."""
    flat = " ".join(text.split()).replace("&", "&amp;")
    return _SPECIAL.sub(r"\\\1", flat)


def _head(columns: Iterable[str]) -> Iterator[str]:
    listed = list(columns)
    yield _row(listed)
    yield _row(["---"] * len(listed))


def _row(values: Iterable[str]) -> str:
    return f"| {' | '.join(values)} |"
