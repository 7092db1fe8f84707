"""What the schema finds wrong with a policy, in a policy author's words."""

from collections.abc import Iterable
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from purposeguard.policy.document import PolicyDocument
from purposeguard.policy.names import nearest
from purposeguard.policy.problems import Path, Problem
from purposeguard.policy_file.tree import shown_text

_KEY_MARK = "[key]"
"""What pydantic puts behind the path of a mapping's key."""

_KEY_FIX = (
    "keys are lower-case ASCII letters, digits and `_` (purposes also have dots), "
    "at most 64 characters"
)

_WANTED = {
    "string_type": "a text belongs here",
    "dict_type": "keys with values belong here",
    "model_type": "keys with values belong here",
    "model_attributes_type": "keys with values belong here",
    "tuple_type": "a list belongs here: write `[…]`",
    "int_type": "a whole number belongs here",
    "bool_type": "`true` or `false` belongs here",
    "date_type": "a day belongs here: write it as `2026-01-31`",
    "date_from_datetime_parsing": "a day belongs here: write it as `2026-01-31`",
    "date_parsing": "a day belongs here: write it as `2026-01-31`",
    "string_too_short": "this is empty: give it a text, or leave the key out",
    "too_short": "this is empty: name at least one, or leave the key out",
    "greater_than_equal": "a number below 0 can't be: correct it",
}


def problems_of(error: ValidationError) -> Iterable[Problem]:
    """Yield a problem for everything that the schema has found."""
    for details in error.errors(include_url=False):
        yield _problem(details)


def _problem(details: ErrorDetails) -> Problem:
    path = details["loc"]
    on_key = path[-1:] == (_KEY_MARK,)
    if on_key:
        path = path[:-1]
    kind = details["type"]
    message = _message(kind, path, details, on_key)
    return Problem(message, path, on_key=on_key or kind == "extra_forbidden")


def _message(kind: str, path: Path, details: ErrorDetails, on_key: bool) -> str:
    given = details["input"]
    context = details.get("ctx", {})
    name = shown_text(str(path[-1])) if path else "the policy"
    if kind == "extra_forbidden":
        known = _known_keys(path[:-1])
        close = nearest(str(path[-1]), known)
        fix = f"did you mean `{close}`?" if close else f"known here are {_listed(known)}"
        return f"unknown key {name}: {fix}"
    if kind == "missing":
        return f"{name} is missing: add it"
    if kind == "value_error":
        return str(context["error"])
    if kind in ("string_pattern_mismatch", "string_too_long"):
        return _bad_text(kind, given, context, on_key)
    if kind in ("literal_error", "enum"):
        return _bad_choice(given, str(context["expected"]))
    return _WANTED.get(kind, f"this can't be used: {details['msg'].lower()}")


def _bad_text(kind: str, given: object, context: dict[str, Any], on_key: bool) -> str:
    text = shown_text(str(given))
    pattern = str(context.get("pattern", ""))
    if kind == "string_too_long" and not on_key:
        return f"{text} is longer than {context['max_length']} characters: shorten it"
    if pattern.startswith("^P("):
        return f"{text} is no period: write `P3Y`, `P6M` or `P30D`"
    if pattern.startswith("^[A-Z]"):
        return f"{text} is no currency: write its three-letter code, such as `JPY`"
    return f"{text} can't be a key: {_KEY_FIX}"


def _bad_choice(given: object, expected: str) -> str:
    if expected == "1":
        return "this format version is not known: this release reads `purposeguard: 1`"
    choices = expected.replace(" or ", ", ").replace("'", "").split(", ")
    text = shown_text(given) if isinstance(given, str) else "this"
    close = nearest(given, choices) if isinstance(given, str) else None
    fix = f"did you mean `{close}`?" if close else f"use {_listed(choices)}"
    return f"{text} can't stand here: {fix}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _known_keys(path: Path) -> list[str]:
    """The keys of the model that a path leads to."""
    at: Any = PolicyDocument
    for step in path:
        at = _inside(at, step)
    return list(at.model_fields) if _is_model(at) else []


def _inside(kind: Any, step: str | int) -> Any:
    if _is_model(kind):
        return _bare(kind.model_fields[str(step)].annotation)
    arguments = get_args(kind)
    return _bare(arguments[1] if get_origin(kind) is dict else arguments[0])


def _bare(annotation: Any) -> Any:
    """The type that matters in `Annotated[…]` and in `… | None`."""
    while hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if isinstance(annotation, UnionType):
        return _bare(get_args(annotation)[0])
    return annotation


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
