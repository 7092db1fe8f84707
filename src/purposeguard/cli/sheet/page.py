"""The sheet as one self-contained HTML page."""

import re
from collections.abc import Iterator

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from purposeguard.cli.sheet.content import Group, Keys, Kind, Sheet
from purposeguard.cli.sheet.marks import MARKS

_BAND = 8
"""How many purposes fit beside each other on a printed page."""


def as_page(sheet: Sheet) -> str:
    """Return the page. Everything that comes from the policy is escaped."""
    template = environment().get_template("matrix.html")
    return template.render(sheet=sheet, marks=MARKS, kinds=Kind, bands=tuple(bands(sheet.groups)))


def environment() -> Environment:
    """Return what makes pages of templates: it escapes all values, and knows of no default."""
    made = Environment(
        loader=PackageLoader("purposeguard.cli"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters["breakable"] = _breakable
    made.tests["keys"] = lambda value: isinstance(value, Keys)
    return made


def _breakable(key: str) -> Markup:
    """A key that may go on in the next line behind its `_` and dots."""
    return Markup(re.sub(r"([_.])", r"\1<wbr>", str(escape(key))))  # noqa: S704 - it is escaped


def bands(groups: tuple[Group, ...]) -> Iterator[tuple[Group, ...]]:
    """Return the groups in bands that fit a page: kept whole where they can be, else cut up."""
    band: list[Group] = []
    room = _BAND
    for group in groups:
        columns = group.columns
        if band and len(columns) > room:
            yield tuple(band)
            band, room = [], _BAND
        while len(columns) > _BAND:
            yield (Group(group.key, group.title, columns[:_BAND]),)
            columns = columns[_BAND:]
        band.append(Group(group.key, group.title, columns))
        room -= len(columns)
    if band:
        yield tuple(band)
