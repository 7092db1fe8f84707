"""What purposeguard raises.

None of these is kin to AttributeError, KeyError, OSError or StopIteration, which frameworks and
Python itself swallow.
"""

from collections.abc import Sequence

from purposeguard.policy.decide import Decision
from purposeguard.policy.problems import Problem


class PurposeGuardError(Exception):
    """Anything that purposeguard raises."""


class PolicyError(PurposeGuardError):
    """The policy can't be used. `problems` has all that is wrong, with file, line and column."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))

    def __reduce__(self) -> tuple[type["PolicyError"], tuple[tuple[Problem, ...]]]:
        return type(self), (self.problems,)


class UnknownNameError(PurposeGuardError):
    """Code uses a name, type, mode or pattern that can't be.

    `name` is the first one as messages show it, `suggestion` the nearest known name or None.
    Correct the name in the code, or declare it in the policy.
    """

    def __init__(self, message: str, name: str = "", suggestion: str | None = None) -> None:
        self.name = name
        self.suggestion = suggestion
        super().__init__(message)

    def __reduce__(self) -> tuple[type["UnknownNameError"], tuple[str, str, str | None]]:
        return type(self), (str(self), self.name, self.suggestion)


class ScopeError(PurposeGuardError):
    """A purpose is declared or carried in a way that can't be kept. The message says the fix."""


class AccessDeniedError(PurposeGuardError):
    """An access was denied. `decision` says why; its text holds names of data, never data."""

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        super().__init__(decision.explain())

    def __reduce__(self) -> tuple[type["AccessDeniedError"], tuple[Decision]]:
        return type(self), (self.decision,)


class OutOfPurposeError(AccessDeniedError):
    """The policy says no: the outcome is `violation`."""


class UndecidedAccessError(AccessDeniedError):
    """The access can't be judged: the outcome is `gap`."""


class LedgerError(AccessDeniedError):
    """The access could not be recorded, and recording is required. `cause` says why, in a word."""

    def __init__(self, decision: Decision, cause: str) -> None:
        self.cause = cause
        super().__init__(decision)
        fix = "see to the ledger's disk and directory"
        if cause == "closed":
            fix = "the ledger was closed before the last access, so close it later"
        text = (
            f"the access to `{decision.category}` could not be recorded ({cause}), and its ledger "
            f"is required: {fix}"
        )
        self.args = (text,)

    def __reduce__(self) -> tuple[type["LedgerError"], tuple[Decision, str]]:  # type: ignore[override]
        return type(self), (self.decision, self.cause)


class UnusableLedgerError(PurposeGuardError):
    """A ledger can't be opened, read or keyed as asked. The message says the fix."""


class SubjectStoreError(PurposeGuardError):
    """The store of subjects can't be opened or used as asked. The message says the fix."""
