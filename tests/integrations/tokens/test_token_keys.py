"""Which keys tokens are signed and read with, and what is said about the others."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey
from token_kit import DESK, KEYS, STRANGERS, guard_of, jwk_of

from purposeguard import UnknownNameError
from purposeguard.integrations.token_keys import verifying_keys
from purposeguard.integrations.tokens import TokenIssuer, TrustedIssuers

ED, EC, OCT = KEYS.values()
SECRET = b"a secret of the tests, long enough"


def read_back(key, keys, name="shop"):
    """Return the purposes that come through, from an issuer with `key` to one that has `keys`."""
    guard = guard_of()
    with guard.purpose("advice"):
        token = TokenIssuer(name, key).token_for(guard, "depot")
    claim = TrustedIssuers("depot", {name: keys}).read(token)
    return claim and claim.purposes


PAIRS = {
    "Ed25519 as JWK": (jwk_of(ED, private=True), jwk_of(ED)),
    "Ed25519 as a set": (jwk_of(ED, private=True), {"keys": [jwk_of(DESK), jwk_of(ED)]}),
    "Ed25519 without an id": (ED.as_dict(private=True), ED.as_dict(private=False)),
    "Ed25519 as PEM": (ED.as_pem(private=True), ED.as_pem(private=False)),
    "Ed25519 as PEM text": (ED.as_pem(private=True).decode(), ED.as_pem(private=False).decode()),
    "Ed25519 by its old name": (
        {**jwk_of(ED, private=True), "alg": "EdDSA", "use": "sig", "key_ops": ["sign"]},
        {**jwk_of(ED), "alg": "EdDSA", "use": "sig", "key_ops": ["verify"]},
    ),
    "Ed25519 by its new name": (
        {**jwk_of(ED, private=True), "alg": "Ed25519"},
        {**jwk_of(ED), "alg": "Ed25519"},
    ),
    "P-256 as JWK": (jwk_of(EC, private=True), jwk_of(EC)),
    "P-256 as PEM": (EC.as_pem(private=True), EC.as_pem(private=False)),
    "PEM and JWK": (EC.as_pem(private=True), EC.as_dict(private=False)),
    "Ed25519 as DER": (ED.as_der(private=True), ED.as_der(private=False)),
    "P-256 as the text of a JWK": (
        json.dumps(jwk_of(EC, private=True)),
        json.dumps({"keys": [jwk_of(EC)]}).encode(),
    ),
    "keys of joserfc": (ED, OKPKey.import_key(ED.as_dict(private=False))),
    "a list": (EC, [ED.as_pem(private=False), jwk_of(EC), SECRET]),
    "a secret": (SECRET, SECRET),
    "a secret as JWK": (jwk_of(OCT), [jwk_of(OCT), SECRET]),
    "a set with keys for other uses": (
        jwk_of(EC, private=True),
        {
            "keys": [
                jwk_of(RSAKey.generate_key(2048)),
                {**jwk_of(ED), "use": "enc"},
                {**jwk_of(DESK), "key_ops": ["encrypt"]},
                {"kty": "AKP", "kid": "x"},
                {"kty": ["OKP"], "crv": {}},
                "no key",
                jwk_of(EC),
            ]
        },
    ),
}


@pytest.mark.parametrize("name", PAIRS)
def test_keys_in_whatever_form(name):
    """What one signs with, the other reads; with a stranger's key it does not."""
    signing, reading = PAIRS[name]
    assert read_back(signing, reading) == ("advice",)
    assert read_back(STRANGERS["Ed25519"], reading) is None


@pytest.mark.parametrize("key", [ED, EC])
def test_an_issuer_publishes_its_public_key(key):
    """As a JWK Set, which survives JSON, names what it is for, and has no private part."""
    published = TokenIssuer("shop", key).public_keys()
    assert read_back(key, json.loads(json.dumps(published))) == ("advice",)
    [jwk] = published["keys"]
    assert "d" not in jwk
    assert jwk["use"] == "sig"
    assert jwk["kid"] == key.thumbprint()


def test_an_issuer_does_not_publish_a_secret():
    """There is no public half of it, and the message says what to do."""
    issuer = TokenIssuer("shop", SECRET)
    with pytest.raises(UnknownNameError, match="has no public half: give the other service"):
        issuer.public_keys()
    assert issuer.name == "shop"


def other_half(one, other):
    """Return a private key with the public half of another one."""
    return {**jwk_of(one, private=True), "x": other.as_dict(private=False)["x"]}


def locked():
    """Return a private key that a password is needed for."""
    return ED.private_key.private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"locked")
    )


UNUSABLE_FOR_SIGNING = {
    "is a public one: give the private key": [
        jwk_of(ED),
        EC.as_pem(private=False),
        ED.as_der(private=False),
        json.dumps(jwk_of(ED)).encode(),
    ],
    "is of another kind: give an Ed25519 or P-256 key": [
        RSAKey.generate_key(2048),
        RSAKey.generate_key(2048).as_pem(private=True),
        ECKey.generate_key("P-384"),
        OKPKey.generate_key("X25519"),
        OKPKey.generate_key("Ed448"),
        {},
        {"keys": [jwk_of(ED, private=True)]},
        {"kty": "oct", "crv": "Ed25519", "k": "x" * 60},
    ],
    "is none: give an Ed25519": [None, 7, ["x"], True],
    "can't be read: give an Ed25519": [
        "no PEM",
        "",
        locked(),
        b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
        {"kty": "OKP", "crv": "Ed25519", "x": "AA", "d": "AA"},
        {"kty": "OKP", "crv": "Ed25519"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"},
        {"kty": "oct", "k": 7 * 10**60},
        b"-----BEGIN PUBLIC KEY-----" + b"x" * 60,
    ],
    "is a secret of fewer than 32 bytes: make a longer one": [
        b"",
        b"short",
        b"x" * 31,
        {"kty": "oct", "k": ""},
        {"kty": "oct"},
        {"kty": "oct", "k": "YWJj"},
    ],
    "is meant for something else": [
        {**jwk_of(ED, private=True), "use": "enc"},
        {**jwk_of(ED, private=True), "alg": "ES256"},
        {**jwk_of(ED, private=True), "alg": ["EdDSA"]},
        {**jwk_of(ED, private=True), "key_ops": ["verify"]},
        {**jwk_of(ED, private=True), "key_ops": "sign"},
        {**jwk_of(OCT), "alg": "HS512"},
    ],
    "has a public half that does not belong to it": [other_half(ED, STRANGERS["Ed25519"])],
    "that is no ASCII text": [{**jwk_of(ED, private=True), "kid": each} for each in ("é", 7, "\n")],
    "has an id .* of 129 characters": [{**jwk_of(ED, private=True), "kid": "k" * 129}],
    "has an id .* of 0 characters": [{**jwk_of(ED, private=True), "kid": ""}],
}


@pytest.mark.parametrize("message", UNUSABLE_FOR_SIGNING)
def test_a_key_that_can_not_sign_is_refused_at_start(message):
    """By one error that names the issuer and the fix, and holds nothing of the key."""
    for key in UNUSABLE_FOR_SIGNING[message]:
        with pytest.raises(UnknownNameError, match=message) as caught:
            TokenIssuer("shop", key)
        text = str(caught.value)
        assert text.startswith("the key of the issuer `shop` ")
        assert len(text) < 200
        assert caught.value.__cause__ is None
        assert not set(private_parts(key)) & set(text.split())


def private_parts(key):
    """Return what must not be told of a key."""
    return [str(each) for name, each in key.items() if name in "dxk"] if type(key) is dict else []


UNUSABLE_FOR_READING = {
    "is a private one: give its public half": [jwk_of(ED, private=True), EC.as_pem(private=True)],
    "is missing: give an Ed25519": [
        [],
        {"keys": []},
        {"keys": [jwk_of(RSAKey.generate_key(2048))]},
    ],
    "is none: give an Ed25519": [None, {"keys": None}, [None], 7],
    "is of another kind": [RSAKey.generate_key(2048), {}, [{"kty": "AKP"}]],
    "can't be read": [
        "x",
        [ED.as_pem(private=False), "x"],
        {"keys": [{"kty": "OKP", "crv": "Ed25519"}]},
    ],
    "is a secret of fewer than 32 bytes": [b"x" * 31, [SECRET, b""]],
    "is meant for something else": [{**jwk_of(ED), "key_ops": ["sign"]}],
    "has an id that another one has": [
        [jwk_of(ED), ED.as_pem(private=False)],
        {"keys": [jwk_of(EC)] * 2},
    ],
}


@pytest.mark.parametrize("message", UNUSABLE_FOR_READING)
def test_keys_that_can_not_be_trusted_are_refused_at_start(message):
    """By one error that names the issuer and the fix."""
    for keys in UNUSABLE_FOR_READING[message]:
        with pytest.raises(UnknownNameError, match=message) as caught:
            TrustedIssuers("depot", {"desk": jwk_of(DESK), "shop": keys})
        assert str(caught.value).startswith("the key of the issuer `shop` ")


@pytest.mark.parametrize("name", ["", "x" * 129, "é", "a\nb", None, 7, b"shop"])
def test_a_service_has_a_name(name):
    """Wherever one is asked for."""
    guard = guard_of()
    with pytest.raises(UnknownNameError, match=r"`name` names (no|a) service"):
        TokenIssuer(name, ED)
    with pytest.raises(UnknownNameError, match=r"`audience` names (no|a) service"):
        TrustedIssuers(name, {})
    with pytest.raises(UnknownNameError, match=r"`issuers` names (no|a) service"):
        TrustedIssuers("depot", {name: jwk_of(ED)})
    with pytest.raises(UnknownNameError, match=r"`audience` names (no|a) service"):
        TokenIssuer("shop", ED).token_for(guard, name)


@pytest.mark.parametrize("seconds", [0, -1, 1.5, True, "60"])
def test_a_time_is_a_whole_number(seconds):
    """Of at least one second; clocks may also agree."""
    with pytest.raises(UnknownNameError, match=r"`seconds` is no time: give a whole number from 1"):
        TokenIssuer("shop", ED, seconds=seconds)
    with pytest.raises(UnknownNameError, match=r"`seconds` is no time"):
        TokenIssuer("shop", ED).token_for(guard_of(), "depot", seconds=seconds)
    with pytest.raises(UnknownNameError, match=r"`max_seconds` is no time"):
        TrustedIssuers("depot", {}, max_seconds=seconds)
    if seconds != 0:
        with pytest.raises(UnknownNameError, match=r"`leeway` is no time"):
            TrustedIssuers("depot", {}, leeway=seconds)


def test_what_else_can_not_be():
    """Issuers that are no mapping, and what can't be called."""
    with pytest.raises(UnknownNameError, match=r"`issuers` is no mapping"):
        TrustedIssuers("depot", [jwk_of(ED)])
    with pytest.raises(UnknownNameError, match=r"`on_refused` can't be called"):
        TrustedIssuers("depot", {}, on_refused="log")
    with pytest.raises(UnknownNameError, match=r"`required` is neither true nor false"):
        TrustedIssuers("depot", {}, required="no")


@pytest.mark.parametrize("key", [ED, EC])
def test_a_public_key_is_never_taken_for_a_secret(key):
    """In whatever form it is written: who knows it could sign with it."""
    jwk = jwk_of(key)
    for text in (
        *(key.as_pem(private=False), key.as_der(private=False)),
        *(json.dumps(jwk).encode(), json.dumps({"keys": [jwk]}).encode()),
    ):
        [found] = verifying_keys(text, "the tests").values()
        assert not found.is_secret
        assert found.id == key.thumbprint()


def written_badly(key):
    """Yield what somebody makes of a public key by mistake."""
    document = json.dumps({"keys": [jwk_of(key)]})
    armoured = key.as_pem(private=False)
    body = b"\n".join(armoured.splitlines()[1:-1])
    yield f"{document[:-1]},}}".encode()
    yield f"[{document}]".encode()
    yield f"\n {document[:-2]}".encode()
    yield body
    yield body.replace(b"\n", b"")
    yield base64.urlsafe_b64encode(key.as_der(private=False)).rstrip(b"=")


@pytest.mark.parametrize("key", [ED, EC])
def test_a_public_key_that_can_not_be_read_is_no_secret_either(key):
    """Whoever has the document could sign with it."""
    for text in written_badly(key):
        with pytest.raises(UnknownNameError, match=r"`hr` can't be read: give an Ed25519"):
            TrustedIssuers("depot", {"hr": text})
        with pytest.raises(UnknownNameError, match=r"`hr` can't be read: give an Ed25519"):
            TokenIssuer("hr", text)


@pytest.mark.parametrize("start", [b"{", b"[", b"0", b"MCow"])
def test_a_secret_may_begin_as_a_document_does(start):
    """Random bytes begin with anything, and base64 is a usual form of them."""
    for secret in (start + bytes(range(200, 232)), base64.b64encode(start + bytes(range(48)))):
        assert read_back(secret, secret) == ("advice",)


def test_nobody_is_trusted_by_default():
    """Without issuers, nothing is believed."""
    assert TrustedIssuers("depot", {}).read("x.x.x") is None


def test_a_key_made_from_a_secret_text_is_that_secret():
    """A JWK of the same bytes is the same key, with the same id."""
    assert read_back(SECRET, OctKey.import_key(SECRET)) == ("advice",)
