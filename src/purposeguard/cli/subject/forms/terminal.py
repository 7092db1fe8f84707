"""What a person is told, for a terminal."""

from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from purposeguard.cli.ledger.forms.terminal import print_section
from purposeguard.cli.printing import MOST_ROWS, facts, more, on_one_line
from purposeguard.cli.subject.forms.content import (
    AccessLine,
    Answer,
    Disclosure,
    Look,
    PartLines,
    UseLine,
)
from purposeguard.cli.subject.forms.words import Named

_STYLES = {Look.YES: "green", Look.PARTLY: "bold yellow", Look.NO: "red"}


def print_disclosure(disclosure: Disclosure, console: Console) -> None:
    """Print it, the tables without the rows that are too many."""
    console.print(facts((label, on_one_line(value)) for label, value in disclosure.facts))
    console.print()
    for part in disclosure.parts:
        title, key = part.category
        console.print(Text.assemble((title, "bold"), f"  {key}, person {part.person}"))
        console.print(facts((label, on_one_line(value)) for label, value in part.facts))
        console.print()
        for section in part.records:
            print_section(section, console)
        _print_uses("Used within, for", map(_use, part.within), console)
        _print_uses("Given to others, for", _given(part), console)
    if disclosure.accesses is not None:
        told = ", ".join(f"{count:,} {what}" for count, what in disclosure.counts)
        console.print(Text("Accesses", "bold"))
        console.print(Text(told), soft_wrap=True)
        _print_accesses(disclosure.lines, console)
    console.print(Text("Not in this report", "bold"))
    for line in disclosure.missing or ("nothing that is known of",):
        console.print(Text(f"- {line}"), soft_wrap=True)


def _given(part: PartLines) -> Iterator[tuple[Text, ...]]:
    for recipient, lines in part.given:
        for number, line in enumerate(lines):
            yield (Text() if number else _named(recipient), *_use(line))


def _use(line: UseLine) -> tuple[Text, ...]:
    rest = (Text(line.items), Text(line.needs), _answer(line.answer))
    return (_named(line.purpose), *rest, Text(", ".join(line.clauses)))


def _print_uses(title: str, rows: Iterable[tuple[Text, ...]], console: Console) -> None:
    listed = list(rows)
    if not listed:
        return
    console.print(Text(title, "bold"))
    heads = ("recipient", "purpose", "data", "needs", "on that day", "clauses")
    _print_table(heads[-len(listed[0]) :], listed, console)


def _print_accesses(lines: Sequence[AccessLine], console: Console) -> None:
    if lines:
        _print_table(
            ("time", "category", "for", "data", "asked for", "answer", "clauses", "service"),
            [
                (
                    Text(each.time),
                    Text(each.category.key),
                    Text(", ".join(name.key for name in each.purposes) or "no purpose"),
                    Text(each.items),
                    Text(_asked_for(each)),
                    _answer(each.answer),
                    Text(", ".join(each.clauses)),
                    Text(each.service),
                )
                for each in lines
            ],
            console,
        )
    else:
        console.print()


def _print_table(heads: Iterable[str], rows: Sequence[Iterable[Text]], console: Console) -> None:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2, 0, 0))
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows[:MOST_ROWS]:
        table.add_row(*row)
    console.print(table)
    for line in more(rows):
        console.print(line)
    console.print()


def _named(name: Named) -> Text:
    return Text.assemble(f"{name.title}\n" if name.title else "", (name.key, "dim"))


def _asked_for(line: AccessLine) -> str:
    return " ".join([line.operation, *(f"{word} {name.key}" for word, name in line.others)])


def _answer(answer: Answer) -> Text:
    return Text(answer.text, _STYLES[answer.look])
