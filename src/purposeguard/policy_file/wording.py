"""What the schema finds wrong with a policy, in a policy author's words."""

from collections.abc import Iterable, Iterator
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from purposeguard.policy.document import (
    CLAUSE_FORM,
    CURRENCY_FORM,
    PERIOD_FORM,
    PolicyDocument,
)
from purposeguard.policy.names import MAX_KEY_LENGTH, nearest
from purposeguard.policy.problems import Path, Problem
from purposeguard.policy_file.tree import Tree, shown_text

_KEY_MARK = "[key]"
"""What pydantic puts behind the path of a mapping's key."""

_KEY_FAULTS = ("string_pattern_mismatch", "string_too_long", "value_error")

_KEY_FIX = (
    "can't be a key: keys are lower-case ASCII letters, digits and `_` (purposes also have dots), "
    f"at most {MAX_KEY_LENGTH} characters"
)

_FORMS = {
    CLAUSE_FORM: "holds a line break: write it on one line",
    PERIOD_FORM: "is no period: write `P3Y`, `P6M` or `P30D`",
    CURRENCY_FORM: "is no currency: write its three-letter code, such as `JPY`",
}
"""What text that lacks a form is said to be; without an entry it is a key."""

_WANTED = {
    "string_type": "a text belongs here: write one",
    "dict_type": "keys with values belong here: write `key: value`",
    "model_type": "keys with values belong here: write `key: value`",
    "tuple_type": "a list belongs here: write `[…]`",
    "int_type": "a whole number belongs here: write one",
    "bool_type": "a yes or no belongs here: write `true` or `false`",
    "date_type": "a day belongs here: write it as `2026-01-31`",
    "string_too_short": "this text is empty: write one",
    "too_short": "this is empty: name at least one",
}


def problems_of(error: ValidationError, tree: Tree) -> Iterator[Problem]:
    """Yield a problem for everything that the schema has found and the tree hasn't told."""
    for details in error.errors(include_url=False):
        path, on_key = place_of(details)
        if not _is_told(details, path[:-1] if on_key else path, tree):
            yield Problem(_message(details, path, on_key), path, on_key=on_key)


def _is_told(details: ErrorDetails, path: Path, tree: Tree) -> bool:
    if details["type"] == "missing" and path[:-1] in tree.thinned:
        return True
    if details["type"] == "too_short" and (details["input"] or path in tree.thinned):
        return True  # pydantic counts only entries that are right
    return any(path[:length] in tree.spoiled for length in range(len(path) + 1))


def place_of(details: ErrorDetails) -> tuple[Path, bool]:
    """Return the path that one of the schema's errors is about, and whether it means the key."""
    path, kind = details["loc"], details["type"]
    if kind == "extra_forbidden":
        return path, True
    if (
        path[-1:] == (_KEY_MARK,) and kind in _KEY_FAULTS
    ):  # a policy may hold the mark itself as a key
        return path[:-1], True
    return path, False


def _message(details: ErrorDetails, path: Path, on_key: bool) -> str:
    kind, context = details["type"], details.get("ctx", {})
    match kind:
        case "extra_forbidden":
            known = _known_keys(path[:-1])
            fix = _fix(str(path[-1]), known, "known here are")
            return f"unknown key {shown_text(str(path[-1]))}: {fix}"
        case "missing":
            return f"`{path[-1]}` is missing: add it"
        case "value_error":
            return str(context["error"])
        case "string_pattern_mismatch":
            fix = _FORMS.get(str(context["pattern"]), _KEY_FIX)
            return f"{shown_text(details['input'])} {fix}"
        case "string_too_long":
            if on_key:
                return f"{shown_text(details['input'])} {_KEY_FIX}"
            longest = context["max_length"]
            return f"this text is longer than {longest} characters: shorten it"
        case "literal_error" | "enum":
            return _bad_choice(details["input"], str(context["expected"]))
    return _WANTED.get(kind, "this can't stand here: see the file format")


def _bad_choice(given: object, expected: str) -> str:
    if expected == "1":
        return "this format version is not known: this release reads `purposeguard: 1`"
    choices = expected.replace(" or ", ", ").replace("'", "").split(", ")
    if not isinstance(given, str):
        return f"a word belongs here: use {_listed(choices)}"
    return f"{shown_text(given)} can't stand here: {_fix(given, choices, 'use')}"


def _fix(given: str, known: list[str], otherwise: str) -> str:
    close = nearest(given, known)
    return f"did you mean `{close}`?" if close else f"{otherwise} {_listed(known)}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _known_keys(path: Path) -> list[str]:
    """The keys of the model that a path leads to."""
    at: Any = PolicyDocument
    for step in path:
        at = _inside(at, step)
    return list(at.model_fields)


def _inside(kind: Any, step: str | int) -> Any:
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _bare(kind.model_fields[str(step)].annotation)
    arguments = get_args(kind)
    return _bare(arguments[1] if get_origin(kind) is dict else arguments[0])


def _bare(annotation: Any) -> Any:
    """The type that matters in `… | None`."""
    return get_args(annotation)[0] if isinstance(annotation, UnionType) else annotation
