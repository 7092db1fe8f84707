"""Runs the command, in this process or in one of its own, and a small policy to run it on."""

import os
import subprocess
import sys
from dataclasses import dataclass

from typer.testing import CliRunner

from purposeguard.cli.app import app

CLEAN = {"FORCE_COLOR": None, "NO_COLOR": None, "COLUMNS": None, "GITHUB_ACTIONS": None}

SMALL = """\
purposeguard: 1
policy: small
version: "3"
purposes:
  hiring: {title: Hiring}
  hiring.screening: {title: Screen applications}
  hiring.screening.score: {title: Score them by machine}
  hiring.contact: {title: Write to applicants}
  ads: {title: Advertisements}
categories:
  applicant: {title: People who apply, items: [name, email, cv]}
  guest: {title: Guests, items: [name], plane: entrusted, note: at the reception only}
matrix:
  applicant:
    hiring.screening: {clauses: [A1], items: [cv, name], note: humans decide}
    hiring.screening.score: {clauses: [A2], needs: [consent_individual], reading: strict}
    hiring.contact: {clauses: [A3, A4]}
    ads: {clauses: [A5], items: [email], only_to: [agency]}
  guest:
    hiring: {clauses: [G1]}
    ads: {clauses: [G2]}
prohibitions:
  - {category: guest, purpose: hiring.screening, clauses: [G3]}
recipients:
  agency:
    title: Agencies
    kind: processor
    clauses: [R1]
    members: [{key: adco, supervision: {recorded: 2026-01-31, expires: 9999-12-31}}]
    to:
      applicant: {purposes: [ads], items: [email]}
  partner:
    kind: third_party
    cross_border: true
    clauses: [R2]
    to:
      applicant: {purposes: [hiring.contact], needs: [consent_individual]}
sources:
  form: {title: Application form, clauses: [S1]}
  bureau: {clauses: [S2], needs: [consent_individual]}
grounds:
  court_order:
    title: A court orders it
    clauses: [L1]
    lifts: [{needs: [consent_individual], recipients: [partner], categories: [applicant]}]
retention:
  applicant: {period: P6M, counted_from: collection}
requests:
  purpose: hiring.contact
  clauses: [Q1]
  kinds: {disclosure: {title: To be told, clauses: [Q2]}}
  fee: {amount: 5, currency: EUR, kinds: [disclosure], clauses: [Q3]}
...
"""
"""It holds what the bundled policy doesn't: grants of parents, prohibitions that hit parents and
grants, three levels, a member under supervision."""

BAD = """\
purposeguard: 1
policy: bad
version: "1"
purposes:
  one: {title: One}
  two.three: {title: Orphan}
categories:
  person: {title: People, items: [name]}
matrix:
  person:
    one: {clauses: [C1], items: [nmae]}
  persn:
    one: {clauses: [C2]}
...
"""
BAD_PLACES = ("6:3", "11:34", "12:3")


@dataclass
class Result:
    """What came of one run."""

    status: int
    out: str
    err: str

    @property
    def lines(self):
        return self.out.splitlines()


def run(*arguments, stdin=None, columns=None):
    """Run the command in this process, as Typer does."""
    environment = {**CLEAN, "COLUMNS": columns}
    result = CliRunner().invoke(
        app, list(map(str, arguments)), input=stdin, env=environment, prog_name="purposeguard"
    )
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return Result(result.exit_code, result.stdout, result.stderr)


def spawn(*arguments, code=None, stdin=None, **environment):
    """Run `python -m purposeguard`, or other code, in a process of its own."""
    start = ["-m", "purposeguard"] if code is None else ["-c", code]
    kept = {name: value for name, value in os.environ.items() if name not in CLEAN}
    return subprocess.run(
        [sys.executable, *start, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={**kept, **environment},
        timeout=120,
        check=False,
    )


def refused(result, *words, status=2):
    """Check that a run ended with one clear line on standard error, and nothing else there."""
    assert result.status == status
    lines = result.err.splitlines()
    assert len(lines) == 1, result.err
    assert lines[0].startswith("Error: ")
    assert "Traceback" not in result.err
    for word in words:
        assert word in lines[0]
    return lines[0]
