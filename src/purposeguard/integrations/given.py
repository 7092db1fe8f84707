"""What adapters are given, refused at once where it is something else."""

from purposeguard.exceptions import UnknownNameError
from purposeguard.guard import Guard


def require_guard(given: object) -> None:
    """Raise UnknownNameError for what is no guard."""
    if not isinstance(given, Guard):
        raise UnknownNameError(
            f"an object of type `{type(given).__name__}` is no guard: give a `Guard` first", "guard"
        )
