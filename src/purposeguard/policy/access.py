"""What is asked: one access, and what is known about the people in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from purposeguard.policy.names import exact, shown
from purposeguard.policy.reasons import Finding, Need


def _shown(value: object) -> str:
    if type(value) is tuple:
        return "(" + "".join(f"{_shown(each)}, " for each in value).removesuffix(" ") + ")"
    return repr(value) if value is None or type(value) is bool else repr(shown(value))


@dataclass(frozen=True, slots=True)
class Access:
    """One use of personal data of one category.

    `purposes` are the ones on the chain, outermost first; `closed` says that a scope on the chain
    has ended. `items` left out means all items of the category. `grounds` are outermost first too,
    and the innermost counts. `operation` defaults to `use`, or to `provide` where a recipient is
    named. `subject` and `customer` are values that never reach a decision's text.
    """

    category: str
    purposes: tuple[str, ...] = field(default=(), kw_only=True)
    grounds: tuple[str, ...] = field(default=(), kw_only=True)
    closed: bool = field(default=False, kw_only=True)
    items: tuple[str, ...] | None = field(default=None, kw_only=True)
    operation: str | None = field(default=None, kw_only=True)
    recipient: str | None = field(default=None, kw_only=True)
    source: str | None = field(default=None, kw_only=True)
    subject: object = field(default=None, kw_only=True)
    customer: object = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        """Show names as messages do: one met at run time may hold personal data."""
        fields = ("purposes", "grounds", "closed", "items", "operation", "recipient", "source")
        given = [f"{name}={_shown(getattr(self, name))}" for name in fields]
        return f"Access({_shown(self.category)}, {', '.join(given)})"

    def __post_init__(self) -> None:
        """Copy the collections once, so that nothing outside can change what was asked."""
        for name in ("purposes", "grounds", "items"):
            value = getattr(self, name)
            if issubclass(type(value), set | frozenset):
                value = sorted(value, key=lambda each: exact(each) or "")
            if issubclass(type(value), list | tuple):
                object.__setattr__(self, name, tuple(value))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was looked up for one access. What is not in `findings` is unknown."""

    findings: Mapping[Need, Finding] = field(default_factory=lambda: MappingProxyType({}))
    use_suspended: bool = False
    provision_suspended: bool = False
    erased: bool = False
    contract_ended: date | None = None
    """The day on which the contract ended, or None while it runs."""
    looked_up: bool = False
    """Whether there is a subject whose state was looked up: retention is judged only then."""
    collected: date | None = None
    """The day on which the data were collected, or None where it is not on record."""
    today: date | None = None

    def finding(self, need: Need) -> Finding:
        """What is known about one need."""
        return self.findings.get(need, Finding.UNKNOWN)


NO_EVIDENCE = Evidence()
"""Nothing was looked up."""
