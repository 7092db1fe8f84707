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
    environment = Environment(
        loader=PackageLoader("purposeguard.cli"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["breakable"] = _breakable
    environment.tests["keys"] = lambda value: isinstance(value, Keys)
    template = environment.get_template("matrix.html")
    return template.render(sheet=sheet, marks=MARKS, kinds=Kind, bands=tuple(_bands(sheet.groups)))


def _breakable(key: str) -> Markup:
    """A key that may go on in the next line behind its `_` and dots."""
    return Markup(re.sub(r"([_.])", r"\1<wbr>", str(escape(key))))  # noqa: S704 - it is escaped


def _bands(groups: tuple[Group, ...]) -> Iterator[tuple[Group, ...]]:
    """The groups in bands that a page holds: kept whole where they fit, cut up where they don't."""
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
