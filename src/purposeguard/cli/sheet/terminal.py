"""The sheet for a terminal: the matrix in marks, then each cell on a line of its own."""

from collections import Counter
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from purposeguard.cli.printing import facts
from purposeguard.cli.sheet.content import Grant, Kind, Line, Sheet, Square
from purposeguard.cli.sheet.marks import ASCII_MARKS, MARKS

_STYLES = {
    Kind.GRANTED: "bold green",
    Kind.CONDITIONAL: "bold yellow",
    Kind.ONLY_TO: "bold cyan",
    Kind.PROHIBITED: "red",
    Kind.NONE: "dim",
}

_UNBOUNDED = 1_000_000


def print_sheet(sheet: Sheet, console: Console) -> None:
    """Print the matrix and its cells; other forms hold the rest of the policy."""
    marks = ASCII_MARKS if console.options.ascii_only else MARKS
    console.print(facts(sheet.facts))
    console.print()
    _print_matrix(sheet, console, marks)
    _print_cells(sheet, console, marks)
    rest = ", ".join(f"{section.title.lower()} ({len(section.rows)})" for section in sheet.sections)
    console.print(Text(f"--format html and md also show: {rest}", "dim"))


def _print_matrix(sheet: Sheet, console: Console, marks: Mapping[Kind, str]) -> None:
    heads = [line.category for line in sheet.lines]
    matrix = _matrix(sheet, heads, marks)
    unbounded = console.options.update(max_width=_UNBOUNDED)
    if Measurement.get(console, unbounded, matrix).maximum > console.width:
        numbers = [str(number) for number, _ in enumerate(heads, 1)]
        matrix = _matrix(sheet, numbers, marks)
        for number, line in zip(numbers, sheet.lines, strict=True):
            console.print(Text.assemble((f"{number:>2} ", "bold"), line.category))
        console.print()
    console.print(matrix)
    legend = Text("  ")
    for kind in Kind:
        legend.append(marks[kind], _STYLES[kind])
        legend.append(f" {kind}   ")
    legend.rstrip()
    console.print(legend)
    console.print()


def _matrix(sheet: Sheet, heads: list[str], marks: Mapping[Kind, str]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("", no_wrap=True)
    for head in heads:
        table.add_column(Text(head), justify="center", no_wrap=True)
    for group in sheet.groups:
        table.add_row(Text(group.key, "bold"))
        for column in group.columns:
            squares = [line.squares[column.purpose] for line in sheet.lines]
            shown = (Text(marks[each.kind], _STYLES[each.kind]) for each in squares)
            table.add_row(Text(f"  {column.label}"), *shown)
    return table


def _print_cells(sheet: Sheet, console: Console, marks: Mapping[Kind, str]) -> None:
    for line in sheet.lines:
        entrusted = " (entrusted by customers)" if line.entrusted else ""
        console.print(Text.assemble((line.category, "bold"), f"  {line.title}{entrusted}"))
        console.print(Text(f"  items: {', '.join(line.items)}{_noted(line.note)}", "dim"))
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        for _ in range(3):
            table.add_column(overflow="fold")
        for square in line.squares.values():
            for grant in square.grants:
                if grant.through is None:
                    table.add_row(*_cell(square, grant, marks))
        for clauses, purposes in _prohibitions(line):
            count = f"{purposes} purpose{'' if purposes == 1 else 's'} prohibited"
            mark = Text(f"  {marks[Kind.PROHIBITED]} {count}", _STYLES[Kind.PROHIBITED])
            table.add_row(mark, Text(", ".join(clauses)))
        console.print(table)
        console.print()
    for number, note in enumerate(sheet.notes, 1):
        console.print(Text(f"[{number}] {note}", "dim"))
    if sheet.notes:
        console.print()


def _cell(square: Square, grant: Grant, marks: Mapping[Kind, str]) -> tuple[Text, ...]:
    kind = Kind.PROHIBITED if square.prohibited else grant.kind
    conditions = [f"needs {need}" for need in grant.needs]
    if grant.only_to:
        conditions.append(f"only to {', '.join(grant.only_to)}")
    if grant.strict:
        conditions.append("strict reading")
    return (
        Text.assemble("  ", (marks[kind], _STYLES[kind]), f" {square.purpose}"),
        Text(", ".join(grant.clauses)),
        Text("all items" if grant.all_items else ", ".join(grant.items)),
        Text(f"{'; '.join(conditions)}{_noted(grant.note)}".strip()),
    )


def _prohibitions(line: Line) -> Iterable[tuple[tuple[str, ...], int]]:
    """How many purposes of a category the same clauses prohibit."""
    return Counter(each.prohibited for each in line.squares.values() if each.prohibited).items()


def _noted(note: int | None) -> str:
    return "" if note is None else f" [{note}]"
