"""What the token tests share: services with keys, tokens of any content, and their readers."""

import base64
import json
import time

from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey

from purposeguard import Guard
from purposeguard.integrations.token_form import TYPE
from purposeguard.integrations.tokens import TokenIssuer, TrustedIssuers
from purposeguard.policy_file import parse_policy

POLICY_TEXT = """\
purposeguard: 1
policy: shop
version: "2026-11"
law: APPI
controller: {name: Example Shop, supervisor: someone, contact: a page}
purposes:
  order: {title: Orders}
  order.delivery: {title: Deliver what was ordered}
  advice: {title: Answer questions}
categories:
  buyer: {title: Buyers, items: [name, address, history], plane: controller}
matrix:
  buyer:
    order.delivery: {clauses: [S1]}
    advice: {clauses: [S2], items: [name, history]}
...
"""

KEYS = {
    "Ed25519": OKPKey.generate_key("Ed25519"),
    "ES256": ECKey.generate_key("P-256"),
    "HS256": OctKey.generate_key(256),
}
"""The keys of the service `shop`, each for one algorithm."""

DESK = ECKey.generate_key("P-256")
"""The key of the service `desk`, which is trusted as well."""

STRANGERS = {
    "Ed25519": OKPKey.generate_key("Ed25519"),
    "ES256": ECKey.generate_key("P-256"),
    "HS256": OctKey.generate_key(256),
}
"""Keys that nobody trusts."""

PURPOSES = ["order.delivery", "advice"]


def guard_of(**given):
    """Return a guard with the policy of the example shop."""
    return Guard(parse_policy(POLICY_TEXT), **given)


def jwk_of(key, private=False):
    """Return a key as a JWK with its thumbprint as its id; a secret is always whole."""
    private = private or isinstance(key, OctKey)
    return {**key.as_dict(private=private), "kid": key.thumbprint()}


def trusted(audience="depot", **given):
    """Return what reads the tokens of `shop`, with all of its keys."""
    keys = {"keys": [jwk_of(key) for key in KEYS.values()]}
    return TrustedIssuers(audience, {"shop": keys, "desk": [jwk_of(DESK)]}, **given)


def issuer(algorithm="Ed25519", **given):
    """Return the issuer `shop`."""
    return TokenIssuer("shop", jwk_of(KEYS[algorithm], private=True), **given)


def claims(**changed):
    """Return genuine claims, some of them changed; those changed to None are left out.

    They last as long as a slow run of the tests does.
    """
    now = int(time.time())
    whole = {"iss": "shop", "aud": "depot", "iat": now, "exp": now + 3_000, "purposes": PURPOSES}
    whole |= changed
    return {name: each for name, each in whole.items() if each is not None}


def header(algorithm="Ed25519", key=None, **changed):
    """Return a genuine header, some of its members changed."""
    kid = (key or KEYS[algorithm]).thumbprint()
    whole = {"alg": algorithm, "kid": kid, "typ": TYPE} | changed
    return {name: each for name, each in whole.items() if each is not None}


def encoded(part):
    """Return a part of a token: JSON of it, or bytes as they are, in base64url."""
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def signed(head, body, algorithm="Ed25519", key=None):
    """Return a token of any content that is really signed, whatever its header says."""
    text = f"{encoded(head)}.{encoded(body)}"
    model = jws.JWSRegistry.algorithms[algorithm]
    return f"{text}.{encoded(model.sign(text.encode(), key or KEYS[algorithm]))}"


def genuine(algorithm="Ed25519", **changed):
    """Return a token of `shop` for `depot`."""
    return signed(header(algorithm), claims(**changed), algorithm)
