"""The form of purpose tokens: read strictly, and alike by all readers; and why one is refused."""

import base64
import json
import re
from enum import StrEnum
from typing import Any

from purposeguard.policy.names import is_key

TYPE = "purposeguard+jwt"
"""What kind of token it is (RFC 8725, section 3.11): no other token passes for one."""

MAX_BYTES = 4096
"""How long a token may be. It is looked at before anything else is."""

MAX_PURPOSES = 16

_FORM = re.compile(rb"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)")
_DIGEST = re.compile(r"[0-9a-f]{64}")

_HEADERS = frozenset({"alg", "kid", "typ"})
_CLAIMS = frozenset({"iss", "aud", "iat", "exp", "purposes"})
_ALSO = frozenset({"policy"})


class Refusal(StrEnum):
    """Why a token is not believed."""

    TOO_LONG = "too_long"
    MALFORMED = "malformed"
    OTHER_TYPE = "other_type"
    ISSUER_UNKNOWN = "issuer_unknown"
    KEY_UNKNOWN = "key_unknown"
    ALGORITHM_REFUSED = "algorithm_refused"
    SIGNATURE_WRONG = "signature_wrong"
    AUDIENCE_OTHER = "audience_other"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    LIVES_TOO_LONG = "lives_too_long"
    PURPOSES_UNREADABLE = "purposes_unreadable"
    CHECK_FAILED = "check_failed"


FIXES = {
    Refusal.TOO_LONG: f"a token has at most {MAX_BYTES} bytes",
    Refusal.MALFORMED: "it is none of purposeguard's, or of a later version: update this service",
    Refusal.OTHER_TYPE: "it was made for something else: send one made by a `TokenIssuer`",
    Refusal.ISSUER_UNKNOWN: "add its issuer to `TrustedIssuers`, if it is to be trusted",
    Refusal.KEY_UNKNOWN: "add the issuer's new public key to `TrustedIssuers`",
    Refusal.ALGORITHM_REFUSED: "each key is used with one algorithm only",
    Refusal.SIGNATURE_WRONG: "its issuer has not signed it",
    Refusal.AUDIENCE_OTHER: "it was made for another service: correct the sender's audience",
    Refusal.NOT_YET_VALID: "set the clocks of both services",
    Refusal.EXPIRED: "set the clocks of both services, or have it live longer",
    Refusal.LIVES_TOO_LONG: "have it live shorter, or raise `max_seconds`",
    Refusal.PURPOSES_UNREADABLE: f"a token names 1 to {MAX_PURPOSES} different purpose keys",
    Refusal.CHECK_FAILED: "reading it failed, which is a bug of purposeguard: please report it",
}


class RefusedError(Exception):
    """A token is not believed."""

    def __init__(self, reason: Refusal) -> None:
        self.reason = reason


def taken_apart(token: object) -> tuple[bytes, dict[str, Any], dict[str, Any]]:
    """Return a token's bytes, its header and its claims, none of them verified yet.

    Header and claims have the members that they should have, of whatever type. Raises RefusedError.
    """
    whole = _as_bytes(token)
    parts = _FORM.fullmatch(whole)
    if parts is None:
        raise RefusedError(Refusal.MALFORMED)
    header, payload, _ = map(_decoded, parts.groups())
    headers = _object(header)
    if headers.get("typ") != TYPE:
        raise RefusedError(Refusal.OTHER_TYPE)
    claims = _object(payload)
    # An unknown name in there may say what this version does not heed: all of them are known.
    if headers.keys() != _HEADERS or claims.keys() - _ALSO != _CLAIMS:
        raise RefusedError(Refusal.MALFORMED)
    return whole, headers, claims


def _as_bytes(token: object) -> bytes:
    if type(token) is not str and type(token) is not bytes:
        raise RefusedError(Refusal.MALFORMED)
    if len(token) > MAX_BYTES:
        raise RefusedError(Refusal.TOO_LONG)
    if isinstance(token, bytes):
        return token
    try:
        return token.encode("ascii")
    except UnicodeEncodeError:
        raise RefusedError(Refusal.MALFORMED) from None


def _decoded(part: bytes) -> bytes:
    """Return what a part of a token encodes, if it is encoded the one right way."""
    try:
        found = base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    except ValueError:
        raise RefusedError(Refusal.MALFORMED) from None
    if base64.urlsafe_b64encode(found).rstrip(b"=") != part:
        raise RefusedError(Refusal.MALFORMED)
    return found


def _object(text: bytes) -> dict[str, Any]:
    """Return the JSON object in a text, if all readers would read it alike."""
    try:
        found = json.loads(text.decode(), object_pairs_hook=_distinct)
    except (ValueError, RecursionError):
        raise RefusedError(Refusal.MALFORMED) from None
    if type(found) is not dict:
        raise RefusedError(Refusal.MALFORMED)
    return found


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is doubled")
    return found


def text_of(value: object) -> str:
    """Return what must be a text. Raises RefusedError."""
    if type(value) is not str:
        raise RefusedError(Refusal.MALFORMED)
    return value


def purposes_of(value: object) -> tuple[str, ...]:
    """Return what must be a list of purpose keys. Raises RefusedError."""
    if type(value) is not list or not 0 < len(value) <= MAX_PURPOSES:
        raise RefusedError(Refusal.PURPOSES_UNREADABLE)
    if not all(type(each) is str and is_key(each) for each in value):
        raise RefusedError(Refusal.PURPOSES_UNREADABLE)
    if len(set(value)) != len(value):
        raise RefusedError(Refusal.PURPOSES_UNREADABLE)
    return tuple(value)


def digest_of(value: object) -> str:
    """Return what must be the digest of a policy. Raises RefusedError."""
    digest = text_of(value)
    if not _DIGEST.fullmatch(digest):
        raise RefusedError(Refusal.MALFORMED)
    return digest
