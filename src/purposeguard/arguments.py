"""Finding subject and customer: among a call's arguments, or as values given to a block."""

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any
from uuid import UUID

from purposeguard.exceptions import UnknownNameError
from purposeguard.identities import NOBODY, People
from purposeguard.kinds import signature_of
from purposeguard.policy.names import nearest, printable
from purposeguard.subjects.keys import COLLECTIONS, identifiers

Selector = str | Callable[[inspect.BoundArguments], object]
"""Where a decorator finds people: a parameter's name, or a callable over the bound arguments."""

Identifier = str | int | UUID
Identifiers = Identifier | Collection[Identifier]
"""Who is named in a block or a check."""


def checked(role: str, value: object) -> tuple[object, ...] | None:
    """Return the identifiers in a value, or None for None. Raises UnknownNameError for others."""
    if value is None:
        return None
    found = identifiers(value)
    if not found:
        raise UnknownNameError(
            f"`{role}` holds {_described(value)}: give a text, a whole number or a UUID, "
            "or a list of them"
        )
    return found


def _described(value: object) -> str:
    if type(value) in COLLECTIONS:
        return "nobody" if not value else "something that can't name a person"
    return f"an object of type `{type(value).__name__}`"


def people_given(subject: object, customer: object) -> People:
    """Return the people that a block or a check names."""
    if subject is None and customer is None:
        return NOBODY
    return checked("subject", subject), checked("customer", customer)


class ArgumentReader:
    """Reads subject and customer from the arguments of calls of one function."""

    __slots__ = ("_customer", "_signature", "_subject")

    def __init__(self, raw: Any, subject: object, customer: object) -> None:
        self._signature = signature_of(raw)
        parameters = self._signature.parameters
        self._subject = _selector("subject", subject, parameters)
        self._customer = _selector("customer", customer, parameters)

    def __call__(self, args: Any, kwargs: Any) -> People:
        """Return the people in one call's arguments."""
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        return (
            self._subject and _selected("subject", self._subject, bound),
            self._customer and _selected("customer", self._customer, bound),
        )


def _selected(
    role: str, selector: Selector, bound: inspect.BoundArguments
) -> tuple[object, ...] | None:
    if not isinstance(selector, str):
        return checked(role, selector(bound))
    found = checked(role, bound.arguments[selector])
    if found is None:  # it would pass for whoever is named around the call
        raise UnknownNameError(
            f"the parameter {printable(selector)} that names the {role} is `None`: say who it is, "
            "or give a callable, which may return `None` where nobody is to be named"
        )
    return found


def _selector(
    role: str, given: object, parameters: Mapping[str, inspect.Parameter]
) -> Selector | None:
    if given is None:
        return None
    if callable(given):
        return given
    if not isinstance(given, str):
        raise UnknownNameError(
            f"`{role}` of a decorator is of type `{type(given).__name__}`: "
            "name a parameter, or give a callable over the bound arguments"
        )
    if given not in parameters:
        close = nearest(given, parameters)
        fix = f"did you mean `{close}`?" if close else "name one of its parameters"
        raise UnknownNameError(
            f"{printable(given)} is no parameter of the function: {fix}",
            printable(given).strip("`"),
            close,
        )
    return given
