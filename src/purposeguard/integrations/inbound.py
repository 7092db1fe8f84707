"""Beginning the scope of a request: what it declares, and what a trusted caller has signed."""

from typing import Protocol

from opentelemetry.trace import Span, SpanKind, get_current_span

from purposeguard.guard import Guard
from purposeguard.roots import RootScope

HEADER = "Purposeguard-Purpose"
"""The header in which a caller hands its purposes over, signed."""


class Claim(Protocol):
    """What a genuine token says."""

    @property
    def purposes(self) -> tuple[str, ...]:
        """The caller's purposes, outermost first."""

    @property
    def issuer(self) -> str:
        """Who has signed it."""


class Trusted(Protocol):
    """What tells genuine tokens from others: `integrations.tokens.TrustedIssuers`."""

    @property
    def required(self) -> bool:
        """Whether a request without a token that is believed has no purpose."""

    def read(self, token: str | bytes, /) -> Claim | None:
        """Return what a token says, or None where it is not to be believed. Never raises."""


def begin(
    guard: Guard,
    purpose: str | None,
    *,
    token: str | bytes | None = None,
    trusted: Trusted | None = None,
    span: Span | None = None,
) -> RootScope:
    """Open the root scope of a request that declares `purpose`, or nothing.

    A trusted caller's token can only narrow: its purposes come on top, and all must permit. `span`
    is the framework's server span, by default the current one: it is marked with the purpose.
    """
    root = guard.open_root()
    claim = trusted.read(token) if trusted is not None and token is not None else None
    missing = claim is None and trusted is not None and trusted.required
    go_on(root, purpose, claim, missing=missing, span=span)
    return root


def go_on(
    root: RootScope,
    purpose: str | None,
    claim: Claim | None = None,
    *,
    missing: bool = False,
    span: Span | None = None,
) -> bool:
    """Declare what a request turns out to be for, within the root scope that it has.

    Without a purpose it is for nothing: a claim alone permits nothing. `missing` says that a claim
    is required and there is none: then nothing is permitted inside, whatever is declared there.
    Return whether anything else was declared before.
    """
    if missing:
        root.refuse()
    if missing or purpose is None:
        return False
    _mark(get_current_span() if span is None else span, purpose)
    claimed, issuer = ((), None) if claim is None else (claim.purposes, claim.issuer)
    return root.become((*claimed, purpose), issuer)


def server_span() -> Span | None:
    """Return the current span if it is a server's: only the SDK's spans tell."""
    span = get_current_span()
    return span if getattr(span, "kind", None) is SpanKind.SERVER else None


def _mark(span: Span, purpose: str) -> None:
    if getattr(span, "kind", None) is SpanKind.SERVER:
        span.set_attribute("purposeguard.purpose", purpose)
