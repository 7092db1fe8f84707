"""Names that a caller gives, against those that the policy has."""

from collections.abc import Iterable

from purposeguard.exceptions import UnknownNameError
from purposeguard.policy.names import exact, nearest, printable


def known(what: str, name: object, names: Iterable[str]) -> None:
    """Raise UnknownNameError, with the nearest name, where the policy has none of this name."""
    listed = list(names)
    text = exact(name)
    if text not in listed:
        close = None if text is None else nearest(text, listed)
        fix = f"did you mean `{close}`?" if close else "declare it there, or correct the name"
        message = f"{printable(name)} is no {what} of the policy: {fix}"
        raise UnknownNameError(message, printable(name).strip("`"), close)
