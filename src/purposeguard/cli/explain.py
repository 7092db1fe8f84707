"""`purposeguard explain`: what the policy answers to one access, why, and what it would allow."""

import json
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any

import typer

from purposeguard.cli.files import PolicyFile, fail, policy_or_fail
from purposeguard.cli.printing import facts, say, to_terminal
from purposeguard.guard import Guard
from purposeguard.points import Names
from purposeguard.policy.access import Access
from purposeguard.policy.decide import Decision
from purposeguard.policy.matrix import Policy
from purposeguard.policy.names import nearest, printable
from purposeguard.policy.reasons import Operation, Outcome

_STYLES = {
    Outcome.PERMIT: "bold green",
    Outcome.VIOLATION: "bold red",
    Outcome.GAP: "bold yellow",
}


class Format(StrEnum):
    """How the answer is written."""

    TEXT = "text"
    JSON = "json"


def explain(
    file: PolicyFile,
    category: Annotated[
        str, typer.Argument(metavar="CATEGORY", help="The category whose data is touched.")
    ],
    purpose: Annotated[
        str, typer.Argument(metavar="PURPOSE", help="The purpose that is declared.")
    ],
    items: Annotated[
        list[str] | None,
        typer.Option(
            "--item",
            metavar="ITEM",
            help="An item touched, given once for each. Without: all items of the category.",
        ),
    ] = None,
    recipient: Annotated[
        str | None, typer.Option(metavar="RECIPIENT", help="Whom the data is given to.")
    ] = None,
    operation: Annotated[
        Operation | None,
        typer.Option(help="What is done. Without it: `use`, or `provide` with a recipient."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="SOURCE", help="Where the data is collected from, with `--operation collect`."
        ),
    ] = None,
    ground: Annotated[
        str | None, typer.Option(metavar="GROUND", help="A lawful exception in force.")
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="How to write the answer.")
    ] = Format.TEXT,
) -> None:
    """Explain what the policy answers to one access.

    Only the policy is asked: what consent, mandates or requests are on record is not looked up, so
    a cell that needs one answers `evidence_unavailable`.

    Exit status: 0 permit, 1 violation or gap, 2 the question can't be answered (wrong usage, a name
    that the policy lacks, a policy that can't be used).
    """
    policy = policy_or_fail(file)
    if source is not None and operation is not Operation.COLLECT:
        fail(["--source is for data that is collected: add --operation collect"])
    if operation is Operation.PROVIDE and recipient is None:
        fail(["--operation provide needs to know to whom: add --recipient"])
    given = tuple(items) if items else None
    names = Names(category, given, purpose, operation, recipient, source)
    unknown = [*(each.message for each in names.unknown(policy)), *_unknown_ground(policy, ground)]
    if unknown:
        fail(unknown)
    access = Access(
        category,
        purposes=(purpose,),
        grounds=() if ground is None else (ground,),
        items=given,
        operation=operation,
        recipient=recipient,
        source=source,
    )
    decision = Guard(policy).decide(access)
    if format_ is Format.JSON:
        typer.echo(json.dumps(_as_json(decision, policy), ensure_ascii=False, indent=2).encode())
    else:
        _print(decision, policy)
    if not decision.permitted:
        raise typer.Exit(1)


def _unknown_ground(policy: Policy, ground: str | None) -> Iterator[str]:
    if ground is not None and ground not in policy.grounds:
        close = nearest(ground, policy.grounds)
        fix = f"did you mean `{close}`?" if close else "declare it there, or correct the name"
        yield f"{printable(ground)} is no ground of the policy: {fix}"


def _as_json(decision: Decision, policy: Policy) -> dict[str, Any]:
    return {
        "outcome": decision.outcome,
        "reason": decision.reason,
        "explanation": decision.explain(),
        "category": decision.category,
        "purpose": decision.purpose,
        "items": decision.items,
        "operation": decision.operation,
        "recipient": decision.recipient,
        "source": decision.source,
        "ground": decision.ground,
        "cells": [{"category": cell[0], "purpose": cell[1]} for cell in decision.cells],
        "clauses": decision.clauses,
        "excess": decision.excess,
        "unmet": decision.unmet,
        "allowed": {
            "purposes": decision.allowed_purposes,
            "clauses": decision.allowed_clauses,
            "items": decision.allowed_items,
            "sources": decision.allowed_sources,
            "recipients": decision.allowed_recipients,
        },
        "policy": {"name": policy.name, "version": policy.version, "digest": policy.digest},
    }


def _print(decision: Decision, policy: Policy) -> None:
    say(f"{decision.outcome}: {decision.reason}", _STYLES[decision.outcome])
    say(decision.explain())
    say("")
    to_terminal(lambda into: into.print(facts(_facts(decision, policy))))


def _facts(decision: Decision, policy: Policy) -> Iterator[tuple[str, str]]:
    document = policy.document
    category = document.categories[decision.category]
    yield "category", f"{decision.category} ({category.title})"
    if decision.purpose is not None:
        purpose = document.purposes[decision.purpose]
        yield "purpose", f"{decision.purpose} ({purpose.title})"
    all_items = f"all: {_listed(category.items)}"
    yield "items", all_items if decision.items is None else _listed(decision.items)
    yield "operation", decision.operation
    for label, values in (
        ("recipient", decision.recipient),
        ("source", decision.source),
        ("ground", decision.ground),
        ("clauses", decision.clauses),
        ("refused items", decision.excess),
        ("lacking", decision.unmet),
        ("allowed purposes", decision.allowed_purposes),
        ("their clauses", decision.allowed_clauses),
        ("allowed items", decision.allowed_items),
        ("allowed sources", decision.allowed_sources),
        ("allowed recipients", decision.allowed_recipients),
    ):
        if values:
            yield label, values if isinstance(values, str) else _listed(values)
    yield "policy", f"{policy.name}, version {policy.version}, digest {policy.digest[:12]}"


def _listed(values: Iterable[str]) -> str:
    return ", ".join(values)
