"""The report as JSON: for scripts, and whole."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from purposeguard.cli.ledger.forms.content import Account
from purposeguard.policy.reasons import Outcome


def as_json(account: Account) -> str:
    """Return the report. Times are UTC; what a policy says is added where one was named."""
    report, policy = account.report, account.policy
    said = {
        (each.category, each.purpose): each.said
        for line in account.lines
        for each in line.squares.values()
    }
    whole: dict[str, Any] = {
        "source": account.source,
        "since": account.since,
        "until": account.until,
        "first_seen": report.first_seen,
        "last_seen": report.last_seen,
        "accesses": report.accesses,
        "permits": report.count(Outcome.PERMIT),
        "violations": report.count(Outcome.VIOLATION),
        "gaps": report.count(Outcome.GAP),
        "refused": report.refused,
        "lost": report.lost,
        "broken": report.broken,
        "cells": [asdict(each) for each in report.cells],
        "sites": [asdict(each) for each in report.sites],
        "losses": [asdict(each) for each in report.losses],
        "policies": [asdict(each) for each in report.policies],
        "segments": [
            {"journal": each.journal, "process": each.process, **asdict(each)}
            for each in report.segments
        ],
    }
    if policy is not None:
        whole["policy"] = {
            "name": policy.name,
            "version": policy.version,
            "digest": policy.digest,
        }
        for cell in whole["cells"]:
            cell["said"] = said[cell["category"], cell["purpose"]]
        whole["unused"] = [
            {"category": each.category, "purpose": each.purpose}
            for line in account.lines
            for each in line.squares.values()
            if each.unused
        ]
    # Plain ASCII: what a ledger holds may have been written to disturb a terminal.
    return json.dumps(whole, default=time_in_json, indent=2) + "\n"


def time_in_json(value: object) -> str:
    """Return how JSON has a time: UTC, with a Z. Raises TypeError for what is none."""
    if isinstance(value, datetime):
        return f"{value.replace(tzinfo=None).isoformat()}Z"
    raise TypeError(f"{value!r} has no form in JSON")
