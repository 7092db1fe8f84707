"""`purposeguard check`: whether policy files can be used, and everything wrong with them."""

from typing import Annotated

import typer

from purposeguard.cli.files import read_policy
from purposeguard.cli.printing import say
from purposeguard.exceptions import PolicyError
from purposeguard.policy.matrix import Policy
from purposeguard.policy.problems import Problem

_Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE...",
        help="Policy files; `smarthr` for the bundled policy, `-` for standard input.",
        show_default=False,
    ),
]
_Strict = Annotated[bool, typer.Option("--strict", help="Fail for warnings too.")]


def check(files: _Files, strict: _Strict = False) -> None:
    """Check policy files: every problem with file, line and column.

    Exit status: 0 every file can be used, 1 at least one can't (with --strict: or has a warning),
    2 wrong usage.
    """
    passed = [_passes(file, strict=strict) for file in files]
    if not all(passed):
        raise typer.Exit(1)


def _passes(file: str, *, strict: bool) -> bool:
    try:
        policy = read_policy(file)
    except PolicyError as error:
        for problem in error.problems:
            say(str(problem))
        say(f"{file}: refused, {_count(error.problems, 'problem')}", "bold red")
        return False
    for warning in policy.warnings:
        say(str(warning))
    refused = strict and bool(policy.warnings)
    verdict = "refused by --strict" if refused else "ok"
    line = f"{file}: {verdict}, {_described(policy)}, {_count(policy.warnings, 'warning')}"
    say(line, "bold red" if refused else "bold green")
    return not refused


def _described(policy: Policy) -> str:
    return f"policy `{policy.name}` version {policy.version} (digest {policy.digest[:12]})"


def _count(problems: tuple[Problem, ...], kind: str) -> str:
    return f"{len(problems) or 'no'} {kind}{'' if len(problems) == 1 else 's'}"
