"""Keys of purpose tokens: what may be given as one, and the one algorithm of each."""

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

try:
    from joserfc import jws
    from joserfc.jwk import ECKey, JWKRegistry, Key, OctKey, OKPKey, RSAKey
except ImportError:
    raise ImportError(
        "purpose tokens need joserfc, which the extra `tokens` brings: "
        "pip install 'purposeguard[tokens]'"
    ) from None

from purposeguard.exceptions import UnknownNameError
from purposeguard.interrupts import let_through

GivenKey = Mapping[str, Any] | str | bytes | Key
"""A JWK as a mapping or text, PEM, a shared secret as bytes, or a key of joserfc.

Any bytes that are no key in writing are a secret: the 32 raw bytes of a public key as well, which
nothing can tell from one.
"""

GivenKeys = GivenKey | Sequence[GivenKey]
"""One key, a JWK Set, or a list of keys."""

MAX_ID = 128
"""Characters of a key's id."""

_ALGORITHMS = {
    ("OKP", "Ed25519"): "Ed25519",
    ("EC", "P-256"): "ES256",
    ("oct", None): "HS256",
}
_ALSO_CALLED = {"EdDSA": "Ed25519"}
"""What RFC 8037 calls an algorithm; which one it is depends on the key (RFC 9864)."""

_PUBLIC = {"OKP": ("kty", "crv", "x"), "EC": ("kty", "crv", "x", "y"), "oct": ("kty", "k")}
_PRIVATE = "d"
_URLSAFE = str.maketrans("+/", "-_")

_MIN_SECRET = 32
"""Bytes; RFC 7518, section 3.2 asks for as many as the hash has."""

_USES = "give an Ed25519 or P-256 key as a JWK or PEM, or a shared secret of 32 bytes or more"


class TokenKey(NamedTuple):
    """A key, its id, and the only algorithm that it signs or verifies with."""

    id: str
    algorithm: str
    key: Key

    @property
    def is_secret(self) -> bool:
        """Whether who can verify with it can sign with it too."""
        return isinstance(self.key, OctKey)

    def sign(self, header: Mapping[str, str], payload: bytes) -> str:
        """Return the compact JWS of a payload."""
        whole = {"alg": self.algorithm, "kid": self.id, **header}
        return jws.serialize_compact(whole, payload, self.key, algorithms=[self.algorithm])

    def verifies(self, token: bytes) -> bool:
        """Whether this key has signed a compact JWS, whose header names its algorithm."""
        try:
            jws.deserialize_compact(token, self.key, algorithms=[self.algorithm])
        except Exception as error:  # noqa: BLE001 - whatever goes wrong in there, it is not verified
            let_through(error)
            return False
        return True

    def published(self) -> dict[str, Any]:
        """Return its public half as a JWK."""
        jwk = self.key.as_dict(private=False)
        members = {name: jwk[name] for name in _PUBLIC[self.key.key_type]}
        return {**members, "kid": self.id, "alg": self.algorithm, "use": "sig"}


def signing_key(given: object, place: str) -> TokenKey:
    """Return the key that an issuer signs with. Raises UnknownNameError for one that can't."""
    found = _read(given, place, "sign")
    if not found.key.is_private:
        raise _unusable(place, "is a public one: give the private key")
    half = found.key if found.is_secret else JWKRegistry.import_key(found.published())
    if not found._replace(key=half).verifies(found.sign({}, b"{}").encode()):
        raise _unusable(place, "has a public half that does not belong to it: export it anew")
    return found


def verifying_keys(given: object, place: str) -> dict[str, TokenKey]:
    """Return an issuer's keys by their id. Raises UnknownNameError for what is no set of them."""
    keys: dict[str, TokenKey] = {}
    for each in _each(given, place):
        if each.key.is_private and not each.is_secret:
            raise _unusable(place, "is a private one: give its public half")
        if each.id in keys:
            raise _unusable(place, "has an id that another one has: give each an id of its own")
        keys[each.id] = each
    if not keys:
        raise _unusable(place, f"is missing: {_USES}")
    return keys


def _each(given: object, place: str) -> Iterator[TokenKey]:
    given = _parsed(given)
    if isinstance(given, Mapping) and "keys" in given:
        listed = given["keys"]
        # A published set may hold keys for other uses (RFC 7517, section 5).
        given = [each for each in listed if _is_ours(each)] if isinstance(listed, list) else None
    for each in given if isinstance(given, list | tuple) else [given]:
        yield _read(each, place, "verify")


def _is_ours(jwk: object) -> bool:
    return isinstance(jwk, Mapping) and _algorithm(jwk) is not None and _serves(jwk, "verify")


def _algorithm(jwk: Mapping[str, Any]) -> str | None:
    try:
        return _ALGORITHMS.get((jwk.get("kty", ""), jwk.get("crv")))
    except TypeError:
        return None


def _serves(jwk: Mapping[str, Any], operation: str) -> bool:
    """Whether a JWK's own limits allow it."""
    algorithm = jwk.get("alg", _algorithm(jwk))
    if isinstance(algorithm, str):
        algorithm = _ALSO_CALLED.get(algorithm, algorithm)
    operations = jwk.get("key_ops", [operation])
    return (
        algorithm == _algorithm(jwk)
        and jwk.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and operation in operations
    )


def _read(given: object, place: str, operation: str) -> TokenKey:
    given = _parsed(given)
    if isinstance(given, bytes) and not _is_written(given):
        encoded = base64.urlsafe_b64encode(given).rstrip(b"=")
        given = {"kty": "oct", "k": encoded.decode()}
    elif isinstance(given, str | bytes):
        raise _unusable(place, f"can't be read: {_USES}")
    if not isinstance(given, Mapping):
        raise _unusable(place, f"is none: {_USES}")
    jwk = dict(given)
    algorithm = _algorithm(jwk)
    if algorithm is None:
        raise _unusable(place, f"is of another kind: {_USES}")
    if not _serves(jwk, operation):
        raise _unusable(place, "is meant for something else (`alg`, `use` or `key_ops`): make one")
    names = (*_PUBLIC[jwk["kty"]], _PRIVATE)
    if jwk["kty"] == "oct" and len(str(jwk.get("k"))) * 3 // 4 < _MIN_SECRET:
        raise _unusable(place, f"is a secret of fewer than {_MIN_SECRET} bytes: make a longer one")
    try:
        key = JWKRegistry.import_key({name: jwk[name] for name in names if name in jwk})
    except Exception:  # noqa: BLE001 - what a bad key makes the libraries raise is theirs
        raise _unusable(place, f"can't be read: {_USES}") from None
    return TokenKey(_id(jwk, key, place), algorithm, key)


def _parsed(given: object) -> object:
    """Return the JWK, or the set, that is given in some written form; all else as it is.

    No secret comes out of here that is the text of a public key: everybody would have it.
    """
    if isinstance(given, OKPKey | ECKey | OctKey | RSAKey):
        return given.as_dict(private=given.is_private)
    if not isinstance(given, str | bytes):
        return given
    try:
        found = json.loads(given)
        if isinstance(found, dict):
            return found
    except (ValueError, RecursionError):
        pass  # it may be PEM or DER
    imported = _imported(given)
    return given if imported is None else imported


def _imported(given: str | bytes) -> dict[str, Any] | None:
    for kind in (OKPKey, ECKey, RSAKey):
        try:
            key = kind.import_key(given)
            return key.as_dict(private=key.is_private)
        except Exception:  # noqa: BLE001, S112 - perhaps it is of the next kind
            continue
    return None


def _is_written(given: bytes) -> bool:
    """Whether bytes that can't be read are a key in writing all the same, and so no secret."""
    if b"-----BEGIN " in given:
        return True
    try:
        text = given.decode().strip()
        if text.startswith(("{", "[")):
            return True
        der = base64.urlsafe_b64decode(text.translate(_URLSAFE) + "==")
    except ValueError:  # neither text nor base64
        return False
    return _imported(der) is not None


def _id(jwk: Mapping[str, Any], key: Key, place: str) -> str:
    """Return the id that a key has, or one that everybody works out alike from the key."""
    given = jwk.get("kid")
    if given is None:
        # That of a secret helps to guess it no more than any signature made with it does.
        return key.thumbprint()
    if not isinstance(given, str) or not given.isascii() or not given.isprintable():
        raise _unusable(place, "has an id (`kid`) that is no ASCII text: give it another")
    if not 0 < len(given) <= MAX_ID:
        raise _unusable(place, f"has an id (`kid`) of {len(given)} characters: give 1 to {MAX_ID}")
    return given


def _unusable(place: str, what: str) -> UnknownNameError:
    return UnknownNameError(f"the key of {place} {what}", "key")
