"""`purposeguard retention due`: whose data has to be erased."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from purposeguard.cli.files import PolicyFile, fail, policy_or_fail
from purposeguard.cli.printing import say
from purposeguard.cli.subject.opening import KeyFile, Url, opened
from purposeguard.exceptions import UnknownNameError
from purposeguard.policy.matrix import Policy
from purposeguard.subjects.known import known
from purposeguard.subjects.retention import Due, rules
from purposeguard.subjects.retention import due as what_is_due

if TYPE_CHECKING:
    from purposeguard.subjects.sql import SqlSubjects


class Format(StrEnum):
    """How the list is printed."""

    TEXT = "text"
    JSON = "json"


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"`{text}` is no day: write it like 2026-11-25") from None


def due(
    file: PolicyFile,
    url: Url,
    category: Annotated[
        list[str] | None,
        typer.Option(help="Only this category; again for more.", show_default=False),
    ] = None,
    today: Annotated[
        date | None,
        typer.Option(
            metavar="DAY", parser=_day, help="Judge as of this day.", show_default="today, UTC"
        ),
    ] = None,
    key_file: KeyFile = None,
    form: Annotated[
        Format, typer.Option("--format", help="How to print it; JSON: one object a line.")
    ] = Format.TEXT,
) -> None:
    """List whose data must be erased: no purpose that the policy grants may use it any more.

    People are keyed hashes, as in the ledger. Erasing is for the service: under any purpose,
    with `operation="erase"`, and then it says so to the store.

    Exit status: 0 nothing is due, 1 something is, 2 it could not be told.
    """
    policy = policy_or_fail(file)
    chosen = list(dict.fromkeys(category or policy.rows))
    try:
        for each in chosen:
            known("category", each, policy.rows)
    except UnknownNameError as error:
        fail([error])
    found = 0
    with opened(url, key_file) as store:
        for one in _found(policy, chosen, store, today or datetime.now(UTC).date()):
            found += 1
            _print(one, form)
    if form is Format.TEXT:
        _summary(policy, chosen, found)
    raise typer.Exit(1 if found else 0)


def _found(
    policy: Policy, categories: list[str], store: "SqlSubjects", today: date
) -> Iterator[Due]:
    for category in categories:
        if rules(policy, category):
            yield from what_is_due(policy, category, store.kept(category), today)


def _print(found: Due, form: Format) -> None:
    if form is Format.JSON:
        typer.echo(json.dumps(asdict(found), default=str))
        return
    clauses = f" ({', '.join(found.clauses)})" if found.clauses else ""
    say(
        f"{found.category}  {found.person}  collected {found.collected}, "
        f"kept until {found.last_day}{clauses}"
    )


def _summary(policy: Policy, categories: list[str], found: int) -> None:
    people = "1 person's" if found == 1 else f"{found:,} people's"
    say(f"{people} data must be erased" if found else "nothing has to be erased")
    unlimited = [each for each in categories if not rules(policy, each)]
    if unlimited:
        say(f"note: no period ends {', '.join(unlimited)}: some purpose there has none", "yellow")
