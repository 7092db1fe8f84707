"""The report for a terminal: the facts, the cells that were used, then what is wrong."""

from operator import attrgetter

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from purposeguard.cli.ledger.forms.content import (
    NO_CATEGORY,
    NO_PURPOSE,
    Account,
    counted,
    moment,
)
from purposeguard.cli.printing import MOST_ROWS, facts, more, on_one_line
from purposeguard.cli.sheet.content import Section, Value
from purposeguard.cli.sheet.marks import ASCII_MARKS, MARKS
from purposeguard.policy.reasons import Outcome

_NUMBERS = {"Accesses", "Lost", "Refused", "Unreadable"}

_PERMITS, _VIOLATIONS, _GAPS, _REFUSED = "green", "bold red", "bold yellow", "bold magenta"

_COUNTS = (
    ("permits", _PERMITS, attrgetter("permits"), True),
    ("violations", _VIOLATIONS, attrgetter("violations"), True),
    ("gaps", _GAPS, attrgetter("gaps"), True),
    ("let through", "", attrgetter("passed"), False),
    ("refused", _REFUSED, attrgetter("refused"), False),
)
"""Each count of a cell: head, style, and whether it is shown where it is zero throughout."""


def print_account(account: Account, console: Console) -> None:
    """Print the report. What comes from the ledger is printed on one line, whatever is in it."""
    console.print(facts((label, on_one_line(value)) for label, value in account.facts))
    console.print()
    console.print(_totals(account), soft_wrap=True)
    console.print()
    if account.report.cells:
        console.print(_fitting(account, console))
        console.print()
    for section in account.sections:
        print_section(section, console)
    unused = sum(square.unused for line in account.lines for square in line.squares.values())
    if unused:
        told = f"{counted(unused, 'granted cell')} not used: --format html and json show which"
        console.print(Text(told, "dim"))


def _totals(account: Account) -> Text:
    report = account.report
    parts = [
        (counted(report.accesses, "access", "accesses"), "bold"),
        (counted(report.count(Outcome.PERMIT), "permit"), _PERMITS),
        (counted(report.count(Outcome.VIOLATION), "violation"), _VIOLATIONS),
        (counted(report.count(Outcome.GAP), "gap"), _GAPS),
        (f"{report.refused:,} refused by the ledger", _REFUSED),
        (f"{report.lost:,} lost", _REFUSED),
    ]
    text = Text()
    for told, style in parts:
        text.append(", " if text else "")
        text.append(told, "" if told.startswith("0 ") else style)
    return text


def _fitting(account: Account, console: Console) -> Table:
    """The cells, without their times where the terminal is too narrow for them: never a count."""
    whole = _cells(account, console, times=True)
    boundless = console.options.update(max_width=10_000)
    fits = Measurement.get(console, boundless, whole).maximum <= console.width
    return whole if fits else _cells(account, console, times=False)


def _cells(account: Account, console: Console, *, times: bool) -> Table:
    squares = [square for line in account.lines for square in line.squares.values()]
    counts = [
        (head, style, count)
        for head, style, count, always in _COUNTS
        if always or any(map(count, squares))
    ]
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("category, purpose", overflow="fold", min_width=24)
    if account.policy:
        table.add_column("policy says", no_wrap=True)
    for head, _, _ in counts:
        table.add_column(head, justify="right", no_wrap=True, min_width=len(head))
    for head in ("first seen", "last seen") if times else ():
        table.add_column(head, no_wrap=True)
    marks = ASCII_MARKS if console.options.ascii_only else MARKS
    for line in account.lines:
        used = [square for square in line.squares.values() if square.counts]
        if used:
            table.add_row(Text(on_one_line(line.category) or NO_CATEGORY, "bold"))
        for square in used:
            row = [Text(f"  {on_one_line(square.purpose) or NO_PURPOSE}")]
            if account.policy:
                row.append(Text(f"{marks[square.said]} {square.said}" if square.said else ""))
            for _, style, count in counts:
                row.append(Text(f"{count(square):,}" if count(square) else "", style))
            if times:
                row += [Text(moment(square.first_seen)), Text(moment(square.last_seen))]
            table.add_row(*row)
    return table


def print_section(section: Section, console: Console) -> None:
    """Print one table, without the rows that are too many."""
    console.print(Text(section.title, "bold"))
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for column in section.columns:
        table.add_column(
            column.lower(), justify="right" if column in _NUMBERS else "left", overflow="fold"
        )
    for row in section.rows[:MOST_ROWS]:
        table.add_row(*(Text(on_one_line(_shown(value))) for value in row))
    console.print(table)
    for line in more(section.rows):
        console.print(line)
    console.print()


def _shown(value: Value) -> str:
    return value if isinstance(value, str) else ", ".join(value)
