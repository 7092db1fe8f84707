"""`purposeguard ledger tail`: the last lines of a ledger, and new ones as they are written."""

import time
from collections.abc import Iterable, Iterator
from pathlib import PurePath
from typing import Annotated, Any

import typer
from rich.text import Text

from purposeguard.cli.files import fail
from purposeguard.cli.ledger.options import Directory, failing_clearly
from purposeguard.cli.ledger.tails import UNREADABLE, Entry, Tails
from purposeguard.cli.printing import console
from purposeguard.evidence.events import one_line
from purposeguard.policy.reasons import Mode, Operation, Outcome

_SECONDS = 0.2
"""Between two looks at the directory."""

_LONGEST = 200
"""How many characters of one value are shown."""

_STYLES = {
    "permit": "green",
    "violation": "bold red",
    "gap": "bold yellow",
    "refused": "bold magenta",
    "lost": "bold magenta",
    "ground": "bold cyan",
    UNREADABLE: "bold magenta",
}


def tail(
    directory: Directory,
    lines: Annotated[
        int,
        typer.Option(
            "-n", "--lines", metavar="N", min=0, max=1_000_000, help="How many lines to begin with."
        ),
    ] = 20,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on with new lines, until interrupted.")
    ] = False,
    denied: Annotated[
        bool, typer.Option("--denied", help="Only violations, gaps, refusals and losses.")
    ] = False,
) -> None:
    """Show the newest lines of all segments together, by the time they were written.

    Exit status: 0 shown, 2 not shown.
    """
    tails = Tails(directory, denied)
    try:
        with failing_clearly():
            newest = tails.newest(lines)
            if not tails.found and not follow:
                fail([f"{directory} holds no ledger: name a ledger's directory"])
            _print(newest)
            while follow:
                time.sleep(_SECONDS)
                _print(tails.new())
    except KeyboardInterrupt:
        return


def _print(entries: Iterable[Entry]) -> None:
    into = console()
    for entry in entries:
        label = _label(entry)
        start = f"{_moment(entry.time)}  "
        rest = one_line("  ".join(filter(None, _told(entry))))
        if into.is_terminal:
            shown = Text.assemble(start, (f"{label:<10}", _STYLES.get(label, "dim")), f"  {rest}")
            into.print(shown, soft_wrap=True)
        else:
            typer.echo(f"{start}{label:<10}  {rest}")


def _label(entry: Entry) -> str:
    if entry.kind == "access":
        return one_line(_text(entry.values.get("outcome")))
    return one_line(_text(entry.kind))


def _moment(time_: str) -> str:
    return one_line(f"{time_[:23]:<23}".replace("T", " "))


def _told(entry: Entry) -> Iterator[str]:
    values = entry.values
    get = values.get
    match entry.kind:
        case "access" | "refused":
            yield from _access(values)
        case "open":
            yield f"by process {_text(get('process'))} on {_text(get('host'))}"
            yield _text(get("cause"))
        case "policy":
            name, version = _text(get("name")), _text(get("version"))
            yield f"{name}, version {version}, digest {_text(get('digest'))[:12]}"
        case "lost":
            yield f"{_text(get('count'))} lost, {_text(get('refused'))} refused"
            yield f"since {_moment(_text(get('since')))}"
            yield _text(get("cause"))
        case "ground":
            yield _text(get("ground"))
            yield _text(get("condition"))
            yield _text(get("reference"))
            yield _text(get("justification"))
            yield f"until {_moment(_text(get('expires')))}"
        case "ground_end":
            yield _text(get("ground"))
        case "recovered":
            yield f"{_text(get('bytes'))} bytes set aside"
            yield _text(get("aside"))
        case "close":
            yield _text(get("cause"))
        case _:
            yield f"in {entry.segment.path.name}: see `purposeguard ledger verify`"
    yield f"[{entry.segment.process}]"


def _access(values: dict[str, Any]) -> Iterator[str]:
    get = values.get
    yield _text(get("reason"))
    items = get("items")
    what = "all items" if items is None else _text(items)
    yield f"{_text(get('category')) or 'unknown category'} ({what})"
    operation = get("operation") or Operation.USE
    if operation != Operation.USE:
        yield _text(operation)
    if get("recipient"):
        yield f"to {_text(get('recipient'))}"
    purpose = _text(get("purpose"))
    yield f"for {purpose}" if purpose else "for no purpose"
    if get("mode") == Mode.OBSERVE and get("outcome") != Outcome.PERMIT:
        yield "let through"
    place = f"{PurePath(_text(get('file'))).name}:{_text(get('line'))}"
    yield f"{_text(get('function'))}, {place}"
    yield _text(get("service"))


def _text(value: object) -> str:
    """A value as it is shown, whatever it is: what stands in a ledger may be anything."""
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(_text, value[:_LONGEST]))[:_LONGEST]
    return str(value)[:_LONGEST]
