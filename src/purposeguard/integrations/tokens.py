"""Purposes between services: signed tokens, made by one service and read by another.

A token is a compact JWS that names its issuer, the one service that it is for, and the purposes in
force where it was made. It says why data is asked for; who asks is for the service's own
authentication to find out. There is no store of tokens seen: one that is replayed within its short
life states purposes that its issuer did state to this very service, and purposes only narrow.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from logging import WARNING
from typing import Any

from purposeguard.evidence.events import Events
from purposeguard.evidence.faults import Faults
from purposeguard.exceptions import UnknownNameError
from purposeguard.guard import Guard
from purposeguard.integrations.inbound import HEADER
from purposeguard.integrations.token_form import (
    FIXES,
    MAX_PURPOSES,
    TYPE,
    Refusal,
    RefusedError,
    digest_of,
    purposes_of,
    taken_apart,
    text_of,
)
from purposeguard.integrations.token_keys import (
    GivenKey,
    GivenKeys,
    TokenKey,
    signing_key,
    verifying_keys,
)
from purposeguard.interrupts import let_through
from purposeguard.policy.names import exact, is_key

__all__ = ["HEADER", "Claim", "TokenIssuer", "TrustedIssuers"]

MAX_NAME = 128
"""Characters of the name of a service."""


@dataclass(frozen=True, slots=True)
class Claim:
    """What a believed token says: the purposes in force at its issuer, outermost first.

    `policy_digest` is that of the policy that the issuer judges by, or None where it has none.
    """

    purposes: tuple[str, ...]
    issuer: str
    policy_digest: str | None = None


class TokenIssuer:
    """Signs short-lived tokens that tell other services the purposes in force here.

    `name` is this service's, as others trust it. `key` is a private Ed25519 or P-256 key, as a JWK
    or PEM, or a secret of at least 32 bytes, which whoever verifies can sign with as well. Its id
    is the JWK's `kid`, or else its thumbprint (RFC 7638). A token lives for `seconds`.

    Raises UnknownNameError for what can't be a name, a key or a time.
    """

    def __init__(self, name: str, key: GivenKey, *, seconds: int = 60) -> None:
        self._name = service_name(name, "name")
        self._key = signing_key(key, f"the issuer `{self._name}`")
        self._seconds = _whole(seconds, "seconds", 1)

    @property
    def name(self) -> str:
        """The name of this service."""
        return self._name

    def public_keys(self) -> dict[str, Any]:
        """Return what others verify with, as a JWK Set. Raises UnknownNameError for a secret."""
        if self._key.is_secret:
            raise UnknownNameError(
                f"the issuer `{self._name}` signs with a secret, which has no public half: "
                "give the other service the secret, or sign with an Ed25519 key",
                "key",
            )
        return {"keys": [self._key.published()]}

    def token_for(self, guard: Guard, audience: str, *, seconds: int | None = None) -> str | None:
        """Return a token of the purposes in force here, for the service named `audience`.

        `seconds` is how long it lives, where that differs. None where there is nothing to tell, or
        not all of it can be told: nothing is declared, the chain is dead, or it holds more than 16
        purposes or one that is no key. The other service then judges by what it declares itself.
        """
        lives = self._seconds if seconds is None else _whole(seconds, "seconds", 1)
        audience = service_name(audience, "audience")
        purposes = guard.purposes_in_force()
        if not purposes or len(purposes) > MAX_PURPOSES or not all(map(is_key, purposes)):
            return None
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self._name,
            "aud": audience,
            "iat": now,
            "exp": now + lives,
            "purposes": purposes,
        }
        policy = guard.policy
        if policy is not None:
            claims["policy"] = policy.digest
        payload = json.dumps(claims, separators=(",", ":")).encode()
        return self._key.sign({"typ": TYPE}, payload)


class TrustedIssuers:
    """Reads tokens that other services have signed for this one, and believes no others.

    `audience` is this service's name, as issuers address it. `issuers` has the keys of each trusted
    issuer by its name: public Ed25519 or P-256 keys as a JWK Set, JWK or PEM, or a shared secret,
    or a list of them while keys change. Where a token is `required`, every access in a request
    without one that is believed is a gap, whatever is declared; else its route's own purpose
    counts. A token may live for `max_seconds`; clocks may differ by `leeway` seconds. `on_refused`
    is called with the reason, a `Refusal`, for each that is not believed; the first of each reason
    is told by an event as well.

    Raises UnknownNameError for what can't be a name, a key or a time.
    """

    def __init__(
        self,
        audience: str,
        issuers: Mapping[str, GivenKeys],
        *,
        required: bool = False,
        max_seconds: int = 3600,
        leeway: int = 10,
        on_refused: Callable[[Refusal], object] | None = None,
    ) -> None:
        self._audience = service_name(audience, "audience")
        if type(required) is not bool:
            raise UnknownNameError("`required` is neither true nor false: write `True` or `False`")
        self._required = required
        self._max_seconds = _whole(max_seconds, "max_seconds", 1)
        self._leeway = _whole(leeway, "leeway", 0)
        if not isinstance(issuers, Mapping):
            raise UnknownNameError("`issuers` is no mapping: give names of issuers their keys")
        self._keys: dict[str, dict[str, TokenKey]] = {}
        for name, keys in issuers.items():
            issuer = service_name(name, "issuers")
            self._keys[issuer] = verifying_keys(keys, f"the issuer `{issuer}`")
        if on_refused is not None and not callable(on_refused):
            raise UnknownNameError("`on_refused` can't be called: give a function of the reason")
        self._on_refused = on_refused
        self._refused = Faults()
        self._told: dict[Refusal, object] = {}
        self._events = Events(None, self._refused)

    @property
    def audience(self) -> str:
        """The name of this service, as issuers address it."""
        return self._audience

    @property
    def required(self) -> bool:
        """Whether a request without a token that is believed has no purpose."""
        return self._required

    @property
    def max_seconds(self) -> int:
        """How long a token may live, in seconds."""
        return self._max_seconds

    @property
    def refused(self) -> Mapping[str, int]:
        """How many tokens were not believed, by reason."""
        return self._refused

    def read(self, token: object) -> Claim | None:
        """Return what a token says, or None where it is not to be believed.

        It raises nothing but what a signal handler does. `token` is the value of the header as it
        came, or None where none came. Where a message has several of them, join them with commas:
        they are not believed.
        """
        if token is None:
            return None
        try:
            return self._read(token)
        except RefusedError as error:
            reason = error.reason
        except Exception as error:  # noqa: BLE001 - whatever a stranger sends, the request goes on
            let_through(error)
            reason = Refusal.CHECK_FAILED
        self._tell(reason)
        return None

    def _read(self, token: object) -> Claim:
        whole, headers, claimed = taken_apart(token)
        issuer = self._verified(whole, headers, claimed["iss"])
        if text_of(claimed["aud"]) != self._audience:
            raise RefusedError(Refusal.AUDIENCE_OTHER)
        self._judge_time(claimed["iat"], claimed["exp"])
        digest = digest_of(claimed["policy"]) if "policy" in claimed else None
        return Claim(purposes_of(claimed["purposes"]), issuer, digest)

    def _verified(self, whole: bytes, headers: Mapping[str, object], named: object) -> str:
        """Return the issuer, who must be trusted and have signed with a key that is its own."""
        issuer = text_of(named)
        keys = self._keys.get(issuer)
        if keys is None:
            raise RefusedError(Refusal.ISSUER_UNKNOWN)
        key = keys.get(text_of(headers["kid"]))
        if key is None:
            raise RefusedError(Refusal.KEY_UNKNOWN)
        # What the key is for says how to verify, never the token.
        if headers["alg"] != key.algorithm:
            raise RefusedError(Refusal.ALGORITHM_REFUSED)
        if not key.verifies(whole):
            raise RefusedError(Refusal.SIGNATURE_WRONG)
        return issuer

    def _judge_time(self, issued: object, ends: object) -> None:
        if type(issued) is not int or type(ends) is not int or ends <= issued:
            raise RefusedError(Refusal.MALFORMED)
        now = time.time()
        if issued > now + self._leeway:
            raise RefusedError(Refusal.NOT_YET_VALID)
        if ends <= now - self._leeway:
            raise RefusedError(Refusal.EXPIRED)
        if ends - issued > self._max_seconds:
            raise RefusedError(Refusal.LIVES_TOO_LONG)

    def _tell(self, reason: Refusal) -> None:
        self._refused.add(reason)
        mark = object()
        if self._told.setdefault(reason, mark) is mark:
            self._events.emit(
                "purposeguard.token",
                f"a purpose token was refused as `{reason}`: {FIXES[reason]}",
                {"purposeguard.token.refused": reason.value},
                WARNING,
            )
        if self._on_refused is not None:
            try:
                self._on_refused(reason)
            except Exception as error:  # noqa: BLE001 - whoever counts must not stop the request
                let_through(error)
                self._refused.add("on_refused")


def service_name(given: object, what: str) -> str:
    """Return the name of a service. Raises UnknownNameError for what can't be one."""
    name = exact(given)
    if name is None or not name.isascii() or not name.isprintable():
        raise UnknownNameError(f"`{what}` names no service: give an ASCII text", what)
    if not 0 < len(name) <= MAX_NAME:
        raise UnknownNameError(
            f"`{what}` names a service in {len(name)} characters: use 1 to {MAX_NAME}", what
        )
    return name


def _whole(given: object, what: str, least: int) -> int:
    if type(given) is not int or given < least:
        raise UnknownNameError(f"`{what}` is no time: give a whole number from {least} on", what)
    return given
