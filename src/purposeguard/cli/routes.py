"""`purposeguard routes`: which routes and tasks of an app declare a purpose."""

import importlib
import json
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum
from fnmatch import fnmatchcase
from types import FunctionType
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from purposeguard.cli.files import fail
from purposeguard.cli.printing import say, to_terminal
from purposeguard.exceptions import ScopeError
from purposeguard.integrations.coverage import Adapter, Declared

_FRAMEWORKS = {
    ("flask", "Flask"): ("flask", "FlaskPurposes(guard, app)"),
    ("fastapi", "FastAPI"): ("fastapi", "FastAPIPurposes(guard).install(app)"),
    ("celery", "Celery"): ("celery", "CeleryPurposes(guard).install(app)"),
}
"""Package and class of an app: its adapter's module, and how that is put in."""


class Form(StrEnum):
    """How the list is shown."""

    TEXT = "text"
    JSON = "json"


_App = Annotated[
    str,
    typer.Argument(
        metavar="APP",
        help="The app as module:name, or module:factory() for one that a function makes.",
        show_default=False,
    ),
]
_Require = Annotated[
    bool, typer.Option("--require", help="Fail where a route or task declares no purpose.")
]
_Except = Annotated[
    list[str],
    typer.Option(
        "--except",
        metavar="PATTERN",
        help="A route or task that needs none, such as 'GET /health'. `*` stands for anything. "
        "May be given again.",
        show_default=False,
    ),
]
_Format = Annotated[Form, typer.Option("--format", help="How to show it.")]


def routes(
    app: _App,
    require: _Require = False,
    except_: _Except = [],  # noqa: B006 - Typer's form of an option that may come again
    format_: _Format = Form.TEXT,
) -> None:
    """List what an app's routes and tasks declare, and find those that pass a guard by.

    Works for Flask, FastAPI and Celery apps with purposeguard's adapter in them.

    Exit status: 0 all is well, 1 a raw function is registered (with --require: or a route or task
    declares no purpose, or there is none, or a pattern of --except is needless), 2 there is no such
    app, or no adapter in it.
    """
    adapters = adapters_of(_loaded(app), app)
    if not show(adapters, require=require, exempt=except_, form=format_):
        raise typer.Exit(1)


def _loaded(named: str) -> Any:
    """Return the app. Ends the command where it can't be imported."""
    module, _, path = named.partition(":")
    if not module or not path:
        fail([f"`{named}` names no app: write module:name, such as service.main:app"])
    if os.getcwd() not in sys.path:  # noqa: PTH109 - as Python's own entry has it
        sys.path.insert(0, os.getcwd())  # noqa: PTH109
    try:
        found: Any = importlib.import_module(module)
        for part in path.removesuffix("()").split("."):
            found = getattr(found, part)
        return found() if path.endswith("()") else found
    except SystemExit:
        fail([f"`{named}` can't be loaded: it ends the process: do that under `__main__` only"])
    except Exception as error:  # noqa: BLE001 - the app's own code runs
        fail([f"`{named}` can't be loaded: {type(error).__name__}: {error}"])


def adapters_of(app: Any, named: str) -> list[Adapter]:
    """Return the adapters in an app. Ends the command where there are none."""
    for kind in type(app).__mro__:
        known = _FRAMEWORKS.get((kind.__module__.partition(".")[0], kind.__name__))
        if known is not None:
            module, fix = known
            adapter = importlib.import_module(f"purposeguard.integrations.{module}")
            found: list[Adapter] = adapter.adapters(app)
            return found or fail([f"`{named}` has no adapter of purposeguard in it: add `{fix}`"])
    if isinstance(app, FunctionType):
        fail([f"`{named}` is a function, not an app: if it makes the app, write `{named}()`"])
    kinds = ", ".join(name for _, name in _FRAMEWORKS)
    return fail([f"`{named}` is of type `{type(app).__name__}`: give an app of {kinds}"])


def show(
    adapters: Iterable[Adapter],
    *,
    require: bool,
    exempt: Sequence[str] = (),
    form: Form = Form.TEXT,
) -> bool:
    """Print what adapters tell, and return whether all is well.

    `exempt` are patterns of routes and tasks that need no purpose.
    """
    raw: dict[str, None] = {}
    told: dict[tuple[str, str], dict[Declared, None]] = {}
    unchecked = False
    for adapter in adapters:
        unchecked = unchecked or adapter.guard.policy is None
        for each in adapter.declared():
            if not each.own:
                told.setdefault((each.name, each.function), {})[each] = None
        try:
            adapter.check()
        except ScopeError as error:
            raw[str(error)] = None
    listed = [each for declared in told.values() for each in declared]
    without = {each.name for each in listed if each.purpose is None and each.by is None}
    excused = {name for name in without for pattern in exempt if fnmatchcase(name, pattern)}
    needless = [each for each in exempt if not any(fnmatchcase(name, each) for name in without)]
    silent = len({(each.name, each.function) for each in listed if each.name in without - excused})
    if form is Form.JSON:
        typer.echo(json.dumps({"declared": list(map(asdict, listed)), "raw": list(raw)}, indent=2))
    else:
        to_terminal(lambda console: _table(console, listed, excused))
        for problem in raw:
            say(problem, "bold red")
        if unchecked:
            say("no policy is loaded here, so the names were not checked")
        if len(listed) > len(told):
            say("the app's guards differ: a route is listed for each of them that says otherwise")
        kind = "route or task" if len(told) == 1 else "routes or tasks"
        count = f"{len(told) or 'no'} {kind}"
        excepted = f" (and {len(excused)} excepted)" if excused else ""
        say(
            f"{count}, {silent or 'none'} without a purpose{excepted}", "bold red" if silent else ""
        )
    if require and not told:
        typer.echo("Error: the app has no route or task: name the app that has them", err=True)
    for pattern in needless:
        message = f"`--except {pattern}` fits no route or task without a purpose: drop it"
        typer.echo(f"Error: {message}", err=True)
    return not raw and not (require and (silent or needless or not told))


def _table(console: Console, listed: list[Declared], excused: set[str]) -> None:
    table = Table(box=None, pad_edge=False)
    for head in ("name", "purpose", "declared by", "function"):
        table.add_column(head, overflow="fold")
    for each in listed:
        purpose = Text(each.purpose or ("none" if each.by is None else "what it is handed"))
        if each.purpose is None:
            purpose.stylize("dim" if each.by or each.name in excused else "bold red")
        table.add_row(Text(each.name), purpose, Text(each.by or ""), Text(each.function))
    console.print(table)
