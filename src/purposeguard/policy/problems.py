"""What is wrong with a policy, as values: the edge decides whether to raise."""

from dataclasses import dataclass, replace
from enum import StrEnum

Path = tuple[str | int, ...]
"""Where in the document: keys and list positions from the top."""


class Severity(StrEnum):
    """Whether a problem refuses the policy."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a policy, and where. `line` and `column` count from 1."""

    message: str
    path: Path = ()
    severity: Severity = Severity.ERROR
    on_key: bool = False
    """Whether the key at `path`, not its value, is at fault."""
    undeclared: str | None = None
    """The name whose declaration is missing, where that is what is wrong."""
    file: str | None = None
    line: int | None = None
    column: int | None = None

    def located(self, file: str, line: int, column: int) -> "Problem":
        """Return the same problem with its place in a file."""
        return replace(self, file=file, line=line, column=column)

    def __str__(self) -> str:
        place = self.file or "policy"
        if self.line is not None:
            place += f":{self.line}:{self.column}"
        elif self.path:
            place += ": " + ".".join(map(str, self.path))
        mark = "warning: " if self.severity is Severity.WARNING else ""
        return f"{place}: {mark}{self.message}"
