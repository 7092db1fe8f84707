"""The sheet for a terminal: the matrix in marks, then each cell on a line of its own."""

from collections.abc import Mapping
from itertools import groupby

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from purposeguard.cli.sheet.content import Grant, Kind, Sheet, Square
from purposeguard.cli.sheet.marks import ASCII_MARKS, MARKS

_STYLES = {
    Kind.GRANTED: "bold green",
    Kind.CONDITIONAL: "bold yellow",
    Kind.ONLY_TO: "bold cyan",
    Kind.PROHIBITED: "red",
    Kind.NONE: "dim",
}


def print_sheet(sheet: Sheet, console: Console) -> None:
    """Print the matrix and its cells; other forms hold the rest of the policy."""
    marks = ASCII_MARKS if console.options.ascii_only else MARKS
    _print_facts(sheet, console)
    _print_matrix(sheet, console, marks)
    _print_cells(sheet, console, marks)
    listed = [f"{len(section.rows)} {section.title.lower()}" for section in sheet.sections]
    rest = Text(f"With --format html or md also: {', '.join(listed)}.", "dim")
    console.print(rest, soft_wrap=not console.is_terminal)


def _print_facts(sheet: Sheet, console: Console) -> None:
    facts = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    facts.add_column(no_wrap=True, style="dim")
    facts.add_column(overflow="fold")
    for label, value in sheet.facts:
        facts.add_row(Text(label), Text(value, "bold" if label == "Policy" else ""))
    console.print(facts)
    console.print()


def _print_matrix(sheet: Sheet, console: Console, marks: Mapping[Kind, str]) -> None:
    heads = [line.category for line in sheet.lines]
    matrix = _matrix(sheet, heads, marks)
    if Measurement.get(console, console.options, matrix).maximum > console.width:
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
        items = f"items: {', '.join(line.items)}"
        if line.entrusted:
            items += "; entrusted by customers"
        console.print(Text.assemble((line.category, "bold"), f"  {line.title}"))
        console.print(Text(items, "dim"))
        table = Table(box=None, pad_edge=False, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(no_wrap=True)
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        table.add_column(overflow="fold")
        for square in line.squares.values():
            for grant in square.grants:
                table.add_row(*_cell(square, grant, marks))
        for clauses, squares in _prohibitions(line.squares):
            mark = Text(f"  {marks[Kind.PROHIBITED]} {len(squares)} prohibited purposes", "red")
            table.add_row(mark, Text(", ".join(clauses)), Text(""), Text(""))
        console.print(table)
        console.print()
    for number, note in enumerate(sheet.notes, 1):
        console.print(Text(f"[{number}] {note}", "dim"))
    if sheet.notes:
        console.print()
