"""Which tokens are believed, and why the others are not."""

import base64
import json
import logging
import signal
import time
import warnings

import pytest
from joserfc import jwe
from joserfc.jwk import OctKey, OKPKey, RSAKey
from token_kit import (
    KEYS,
    PURPOSES,
    STRANGERS,
    claims,
    encoded,
    genuine,
    guard_of,
    header,
    issuer,
    jwk_of,
    signed,
    trusted,
)

from purposeguard.integrations.token_form import FIXES, MAX_BYTES, Refusal
from purposeguard.integrations.tokens import HEADER, Claim, TokenIssuer, TrustedIssuers

ALGORITHMS = list(KEYS)


def refused(token, **given):
    """Return why a token is not believed, or what it says."""
    reasons = []
    claim = trusted(on_refused=reasons.append, **given).read(token)
    assert (claim is None) == bool(reasons)
    return reasons[0] if reasons else claim


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_what_an_issuer_says_is_believed(algorithm):
    """The purposes in force there, outermost first, its name, and the digest of its policy."""
    guard = guard_of()
    with guard.purpose("order.delivery"), guard.purpose("advice"):
        token = issuer(algorithm).token_for(guard, "depot")
    assert trusted().read(token) == Claim(("order.delivery", "advice"), "shop", guard.policy.digest)
    assert trusted().read(token.encode()) == trusted().read(token)


def test_a_token_is_small_and_says_nothing_else():
    """It holds what the format names, and fits into the headers of any server."""
    guard = guard_of()
    with guard.purpose("order.delivery", subject=7):
        token = issuer().token_for(guard, audience="depot")
    head, body, _ = (
        base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)) for part in token.split(".")
    )
    assert json.loads(head) == {
        "alg": "Ed25519",
        "kid": KEYS["Ed25519"].thumbprint(),
        "typ": "purposeguard+jwt",
    }
    assert json.loads(body).keys() == {"iss", "aud", "iat", "exp", "purposes", "policy"}
    assert len(token) < 600
    assert HEADER == "Purposeguard-Purpose"


def test_where_nothing_can_be_told_there_is_no_token():
    """Nothing declared, a dead chain, no policy: none, none, and one without a digest."""
    guard = guard_of()
    assert issuer().token_for(guard, "depot") is None
    scope = guard.open_root("advice")
    with scope:
        assert issuer().token_for(guard, "depot")
        scope.end()
        assert issuer().token_for(guard, "depot") is None
    with guard.open_root():
        assert issuer().token_for(guard, "depot") is None
    bare = type(guard)()
    with bare.purpose("advice"):
        assert trusted().read(issuer().token_for(bare, "depot")) == Claim(("advice",), "shop")


@pytest.mark.parametrize(
    "purposes", [[f"p{n}" for n in range(17)], ["advice", "Bad Key"], ["advice", "x" * 65]]
)
def test_a_chain_that_can_not_be_told_whole_is_not_told(purposes):
    """Leaving a purpose out would widen what the others allow."""
    guard = guard_of()
    with guard.open_root(*purposes):
        assert len(guard.purposes_in_force()) == len(purposes)
        assert issuer().token_for(guard, "depot") is None


def test_the_longest_token_is_read():
    """16 purposes of 64 characters, names of 128: it is no longer than a token may be."""
    guard = guard_of()
    names = [f"p{n:02}".ljust(64, "x") for n in range(16)]
    jwk = {**jwk_of(KEYS["Ed25519"], private=True), "kid": "k" * 128}
    maker = TokenIssuer("i" * 128, jwk, seconds=10**9)
    with guard.open_root(*names):
        token = maker.token_for(guard, "a" * 128)
    reader = TrustedIssuers("a" * 128, {"i" * 128: maker.public_keys()}, max_seconds=10**9)
    assert reader.read(token).purposes == tuple(names)
    assert len(token) < MAX_BYTES


def test_a_token_lives_as_long_as_asked():
    """One minute, unless the issuer or the call says otherwise."""
    guard = guard_of()
    with guard.purpose("advice"):
        for maker, given, lives in (
            (issuer(), {}, 60),
            (issuer(seconds=5), {}, 5),
            (issuer(), {"seconds": 86_400}, 86_400),
        ):
            body = maker.token_for(guard, "depot", **given).split(".")[1]
            found = json.loads(base64.urlsafe_b64decode(body + "=="))
            assert found["exp"] - found["iat"] == lives
            assert abs(found["iat"] - time.time()) < 60


NOW = int(time.time())
STRANGE = {
    "nothing": ("", Refusal.MALFORMED),
    "no text": (7, Refusal.MALFORMED),
    "a list of two": ([genuine(), genuine()], Refusal.MALFORMED),
    "two headers joined": (f"{genuine()}, {genuine()}", Refusal.MALFORMED),
    "a space before": (" " + genuine(), Refusal.MALFORMED),
    "a line after": (genuine() + "\n", Refusal.MALFORMED),
    "a bearer": ("Bearer " + genuine(), Refusal.MALFORMED),
    "padding": (genuine() + "=", Refusal.MALFORMED),
    "no ASCII": (genuine() + "\u0660", Refusal.MALFORMED),
    "a subclass of text": (type("Text", (str,), {})(genuine()), Refusal.MALFORMED),
    "too long": ("e" * (MAX_BYTES + 1), Refusal.TOO_LONG),
    "too long, and signed": (genuine(purposes=["p" * 4_000]), Refusal.TOO_LONG),
    "spare bits at the end": (genuine()[:-1] + "h", Refusal.MALFORMED),
    "two parts": (genuine().rpartition(".")[0], Refusal.MALFORMED),
    "five parts": (f"{genuine()}.e30.e30", Refusal.MALFORMED),
    "no signature": (genuine().rpartition(".")[0] + ".", Refusal.MALFORMED),
    "a detached payload": (f"{genuine().split('.')[0]}..{genuine().split('.')[2]}", "malformed"),
    "no JSON": (signed(b"{", claims()), Refusal.MALFORMED),
    "no object": (signed(b"[]", claims()), Refusal.MALFORMED),
    "a UTF-16 header": (signed(json.dumps(header()).encode("utf-16"), claims()), "malformed"),
    "claims that are no object": (signed(header(), b"[1]"), Refusal.MALFORMED),
    "claims in UTF-16": (signed(header(), json.dumps(claims()).encode("utf-16")), "malformed"),
    "claims with a byte order mark": (
        signed(header(), b"\xef\xbb\xbf" + json.dumps(claims()).encode()),
        Refusal.MALFORMED,
    ),
    "deep claims": (signed(header(), b"[" * 2_500), Refusal.MALFORMED),
    "deep purposes": (
        signed(header(), json.dumps(claims(purposes=0)).encode().replace(b"0}", b"[" * 2_000)),
        Refusal.MALFORMED,
    ),
    "a doubled claim": (
        signed(header(), json.dumps(claims())[:-1].encode() + b',"purposes":["care"]}'),
        Refusal.MALFORMED,
    ),
    "a doubled member": (
        signed(json.dumps(header())[:-1].encode() + b',"alg":"none"}', claims()),
        Refusal.MALFORMED,
    ),
    "a claim that is not known": (signed(header(), claims(sub="7")), Refusal.MALFORMED),
    "no purposes": (signed(header(), claims(purposes=None)), Refusal.MALFORMED),
    "no audience": (signed(header(), claims(aud=None)), Refusal.MALFORMED),
    "no end": (signed(header(), claims(exp=None)), Refusal.MALFORMED),
    "no beginning": (signed(header(), claims(iat=None)), Refusal.MALFORMED),
    "no issuer": (signed(header(), claims(iss=None)), Refusal.MALFORMED),
    "an issuer that is no text": (genuine(iss=["shop"]), Refusal.MALFORMED),
    "no kid": (signed(header(kid=None), claims()), Refusal.MALFORMED),
    "a kid that is no text": (signed(header(kid=7), claims()), Refusal.MALFORMED),
    "no algorithm": (signed(header(alg=None), claims()), Refusal.MALFORMED),
    "crit": (signed(header(crit=["b64"], b64=False), claims()), Refusal.MALFORMED),
    "crit of nothing": (signed(header(crit=[]), claims()), Refusal.MALFORMED),
    "b64": (signed(header(b64=True), claims()), Refusal.MALFORMED),
    "a key in the header": (
        signed(header(jwk=jwk_of(STRANGERS["Ed25519"])), claims(), key=STRANGERS["Ed25519"]),
        Refusal.MALFORMED,
    ),
    "a key's address": (signed(header(jku="https://evil.example/"), claims()), "malformed"),
    "a certificate's address": (signed(header(x5u="https://evil.example/"), claims()), "malformed"),
    "no type": (signed(header(typ=None), claims()), Refusal.OTHER_TYPE),
    "a plain JWT": (signed(header(typ="JWT"), claims()), Refusal.OTHER_TYPE),
    "an access token": (signed(header(typ="at+jwt"), claims()), Refusal.OTHER_TYPE),
    "the type in capitals": (signed(header(typ="PURPOSEGUARD+JWT"), claims()), "other_type"),
    "another issuer": (genuine(iss="evil"), Refusal.ISSUER_UNKNOWN),
    "an issuer in capitals": (genuine(iss="SHOP"), Refusal.ISSUER_UNKNOWN),
    "an unknown kid": (signed(header(kid="x"), claims()), Refusal.KEY_UNKNOWN),
    "no kid to speak of": (signed(header(kid=""), claims()), Refusal.KEY_UNKNOWN),
    "a kid that is a path": (signed(header(kid="../../dev/null"), claims()), "key_unknown"),
    "a kid that is a query": (signed(header(kid="x' UNION SELECT 'k"), claims()), "key_unknown"),
    "a kid of one surrogate": (signed(header(kid="\ud800"), claims()), Refusal.KEY_UNKNOWN),
    "a huge kid": (signed(header(kid="k" * 1_500), claims()), Refusal.KEY_UNKNOWN),
    "a stranger's kid": (
        signed(header(key=STRANGERS["Ed25519"]), claims(), key=STRANGERS["Ed25519"]),
        Refusal.KEY_UNKNOWN,
    ),
    "another issuer's key": (genuine(iss="desk"), Refusal.KEY_UNKNOWN),
    "a stranger's signature": (
        signed(header(), claims(), key=STRANGERS["Ed25519"]),
        Refusal.SIGNATURE_WRONG,
    ),
    "another's signature": (
        genuine().rpartition(".")[0] + "." + genuine(aud="x").rpartition(".")[2],
        Refusal.SIGNATURE_WRONG,
    ),
    "another audience": (genuine(aud="warehouse"), Refusal.AUDIENCE_OTHER),
    "several audiences": (genuine(aud=["depot"]), Refusal.MALFORMED),
    "nobody's audience": (genuine(aud=""), Refusal.AUDIENCE_OTHER),
    "expired": (genuine(iat=NOW - 120, exp=NOW - 60), Refusal.EXPIRED),
    "not yet": (genuine(iat=NOW + 86_400, exp=NOW + 86_460), Refusal.NOT_YET_VALID),
    "for a year": (genuine(exp=NOW + 365 * 86_400), Refusal.LIVES_TOO_LONG),
    "for ever": (genuine(exp=10**1_000), Refusal.LIVES_TOO_LONG),
    "from the beginning": (genuine(iat=-(10**1_000)), Refusal.LIVES_TOO_LONG),
    "an end before the beginning": (genuine(iat=NOW, exp=NOW), Refusal.MALFORMED),
    "an end that is a text": (genuine(exp=str(NOW + 60)), Refusal.MALFORMED),
    "a beginning that is true": (genuine(iat=True), Refusal.MALFORMED),
    "an end that is true": (genuine(exp=True), Refusal.MALFORMED),
    "an end that is a fraction": (genuine(exp=NOW + 0.5), Refusal.MALFORMED),
    "an end without end": (genuine(exp=float("inf")), Refusal.MALFORMED),
    "an end that is no number": (genuine(exp=float("nan")), Refusal.MALFORMED),
    "an end in another form": (
        signed(header(), json.dumps(claims(exp=0)).encode().replace(b'"exp": 0', b'"exp": 9e99')),
        Refusal.MALFORMED,
    ),
    "no purpose": (genuine(purposes=[]), Refusal.PURPOSES_UNREADABLE),
    "purposes in a text": (genuine(purposes="advice"), Refusal.PURPOSES_UNREADABLE),
    "purposes in an object": (genuine(purposes={"advice": 1}), Refusal.PURPOSES_UNREADABLE),
    "a purpose that is none": (genuine(purposes=["advice", None]), "purposes_unreadable"),
    "a purpose that is a list": (genuine(purposes=[["advice"]]), Refusal.PURPOSES_UNREADABLE),
    "a purpose that is no key": (genuine(purposes=["a b"]), Refusal.PURPOSES_UNREADABLE),
    "a wildcard": (genuine(purposes=["*"]), Refusal.PURPOSES_UNREADABLE),
    "a purpose with a line": (genuine(purposes=["advice\n"]), Refusal.PURPOSES_UNREADABLE),
    "a purpose in capitals": (genuine(purposes=["Advice"]), Refusal.PURPOSES_UNREADABLE),
    "a long purpose": (genuine(purposes=["p" * 65]), Refusal.PURPOSES_UNREADABLE),
    "17 purposes": (genuine(purposes=[f"p{n}" for n in range(17)]), "purposes_unreadable"),
    "a doubled purpose": (genuine(purposes=["advice"] * 2), Refusal.PURPOSES_UNREADABLE),
    "a digest that is none": (genuine(policy="0" * 63), Refusal.MALFORMED),
    "a digest that is a number": (genuine(policy=0), Refusal.MALFORMED),
    "a digest of null": (
        signed(header(), {**claims(), "policy": None}),
        Refusal.MALFORMED,
    ),
}


@pytest.mark.parametrize("name", STRANGE)
def test_what_is_not_genuine_is_refused(name):
    """For the reason that says what to do about it; all but the reason's own fault is in order."""
    token, reason = STRANGE[name]
    assert refused(token) == reason
    if isinstance(token, str) and type(token) is str:
        assert refused(token.encode()) == reason


def test_the_genuine_one_beside_them_is_believed():
    """The tokens above are refused for what is strange in them, and for nothing else."""
    assert refused(genuine()) == Claim(tuple(PURPOSES), "shop")
    assert refused(genuine(policy="0" * 64)).policy_digest == "0" * 64


def test_every_reason_is_shown_and_says_what_to_do():
    """Each but the one for bugs of purposeguard's own comes up above; every one has a fix."""
    shown = {reason for _, reason in STRANGE.values()}
    assert shown | {"algorithm_refused", "check_failed"} == set(Refusal)
    assert FIXES.keys() == set(Refusal)


def test_nothing_came():
    """A request without the header has no token, which is nothing to count."""
    reader = trusted()
    assert reader.read(None) is None
    assert not reader.refused


@pytest.mark.parametrize("named", ["none", "HS256", "ES256", "Ed25519", "EdDSA", "RS256", "", 7])
@pytest.mark.parametrize("kept", ALGORITHMS)
@pytest.mark.parametrize("used", ALGORITHMS)
def test_the_key_says_the_algorithm_and_the_token_does_not(kept, used, named):
    """Whatever a header names, and whatever really signed it: only a key's own algorithm counts."""
    token = signed(header(kept, alg=named), claims(), used)
    if kept == used == named:
        assert refused(token) == Claim(tuple(PURPOSES), "shop")
    else:
        expected = "signature_wrong" if named == kept else "algorithm_refused"
        assert refused(token) == expected


@pytest.mark.parametrize("algorithm", ["Ed25519", "ES256"])
def test_a_public_key_is_no_secret(algorithm):
    """What is signed with a public key's text as a secret is refused: anybody could."""
    key = KEYS[algorithm]
    for text in (
        key.as_pem(private=False),
        key.as_der(private=False),
        json.dumps(key.as_dict(private=False)).encode(),
    ):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            secret = OctKey(text, text)
        for named in ("HS256", algorithm):
            token = signed(header(algorithm, alg=named), claims(), "HS256", secret)
            assert refused(token) in ("algorithm_refused", "signature_wrong")


def test_an_unsigned_token_is_refused():
    """`none` is no algorithm of any key, however it is spelled."""
    for named in ("none", "None", "NONE", "nOnE"):
        for signature in ("", "e30", encoded(b"\0" * 64)):
            text = f"{encoded(header(alg=named))}.{encoded(claims())}.{signature}"
            assert refused(text) in ("algorithm_refused", "malformed")


def test_an_encrypted_token_is_refused():
    """What anybody can encrypt for a public key says nothing about who did."""
    key = RSAKey.generate_key(2048)
    whole = {"alg": "RSA-OAEP", "enc": "A128GCM", "typ": "purposeguard+jwt", "kid": "x"}
    assert refused(jwe.encrypt_compact(whole, json.dumps(claims()), key)) == "malformed"
    assert refused(json.dumps({"payload": "e30", "signatures": []})) == "malformed"


def test_clocks_may_differ_by_the_leeway():
    """By ten seconds or by what is asked for, either way."""
    now = int(time.time())
    late, early = genuine(iat=now - 65, exp=now - 5), genuine(iat=now + 40, exp=now + 90)
    assert refused(late, leeway=120) == refused(early, leeway=120) == refused(genuine())
    late, early = genuine(iat=now - 130, exp=now - 70), genuine(iat=now + 600, exp=now + 660)
    assert refused(late, leeway=0) == "expired"
    assert refused(early, leeway=0) == "not_yet_valid"


def test_a_queue_may_hold_tokens_longer():
    """`max_seconds` is for the reader to say; an hour is what it is for requests."""
    day = genuine(exp=int(time.time()) + 86_400)
    assert refused(day) == "lives_too_long"
    assert refused(day, max_seconds=90_000) == Claim(tuple(PURPOSES), "shop")


def test_refusals_are_counted_and_told_once_each(caplog):
    """The log names the reason and the fix, and nothing of a token."""
    reader = trusted()
    tokens = [genuine(aud="warehouse"), genuine(iss="evil"), "x"]
    with caplog.at_level(logging.WARNING, "purposeguard"):
        for _ in range(3):
            assert [reader.read(token) for token in tokens] == [None] * 3
        assert reader.read(genuine())
    assert dict(reader.refused) == {"audience_other": 3, "issuer_unknown": 3, "malformed": 3}
    assert [record.getMessage() for record in caplog.records] == [
        f"purposeguard.token: a purpose token was refused as `{reason}`: {FIXES[reason]}"
        for reason in (Refusal.AUDIENCE_OTHER, Refusal.ISSUER_UNKNOWN, Refusal.MALFORMED)
    ]
    told = str([vars(record) for record in caplog.records])
    assert not [
        part for token in tokens for part in token.split(".") if len(part) > 1 and part in told
    ]
    assert "warehouse" not in told


def test_who_counts_can_not_stop_a_request():
    """A fault of `on_refused` is counted, and the answer stays."""

    def fails(reason):
        raise RuntimeError(reason)

    reader = trusted(on_refused=fails)
    assert reader.read("x") is None
    assert reader.refused["on_refused"] == 1


def test_a_bug_in_reading_believes_nothing(monkeypatch):
    """Whatever should go wrong in there, the token is refused and the request goes on."""
    reader = trusted()
    monkeypatch.setattr("purposeguard.integrations.tokens.taken_apart", lambda token: 1 / 0)
    assert reader.read(genuine()) is None
    assert dict(reader.refused) == {"check_failed": 1}


def test_a_believed_token_only_narrows():
    """Under a root scope of what it says, and of what the route declares, both must permit."""
    guard = guard_of()
    claim = trusted().read(genuine(purposes=["order"]))
    scope = guard.open_root(*claim.purposes, "order.delivery", issuer=claim.issuer)
    with scope:
        assert guard.granted_items("buyer") == ("name", "address", "history")
        with guard.purpose("advice"):
            assert guard.granted_items("buyer") == ("name", "history")
    scope.end()
    assert guard.purposes_in_force() == ()
    claim = trusted().read(genuine(purposes=["advice"]))
    with guard.open_root(*claim.purposes, "order.delivery", issuer=claim.issuer):
        assert guard.granted_items("buyer") == ("name", "history")


def test_two_audiences_with_one_trust_do_not_share_tokens():
    """A token for one service is no token for another, though both trust the same issuer."""
    guard = guard_of()
    with guard.purpose("advice"):
        tokens = {name: issuer().token_for(guard, name) for name in ("depot", "warehouse")}
    read = {name: trusted(name) for name in tokens}
    for reader in read:
        for name, token in tokens.items():
            assert (read[reader].read(token) is not None) == (reader == name)


def test_a_new_key_beside_the_old_one():
    """While keys change, tokens of both are read; of the old one no longer when it is gone."""
    guard = guard_of()
    old, new = OKPKey.generate_key("Ed25519"), OKPKey.generate_key("Ed25519")
    both = TrustedIssuers("depot", {"shop": [jwk_of(old), jwk_of(new)]})
    after = TrustedIssuers("depot", {"shop": jwk_of(new)})
    with guard.purpose("advice"):
        tokens = [
            TokenIssuer("shop", jwk_of(k, True)).token_for(guard, "depot") for k in (old, new)
        ]
    assert [bool(both.read(token)) for token in tokens] == [True, True]
    assert [bool(after.read(token)) for token in tokens] == [False, True]


def test_a_time_limit_that_strikes_while_a_token_is_read_is_not_lost(monkeypatch):
    """It is the program's, and says nothing of the token."""

    def over(*_):
        raise TimeoutError

    guard = guard_of()
    key = b"a secret of the tests, long enough"
    trusted = TrustedIssuers("depot", {"shop": key})
    with guard.purpose("advice"):
        token = TokenIssuer("shop", key).token_for(guard, "depot")
    before = signal.signal(signal.SIGALRM, over)
    try:
        for place in (
            "joserfc.jws.deserialize_compact",
            "purposeguard.integrations.tokens.taken_apart",
        ):
            with monkeypatch.context() as patch:
                patch.setattr(place, lambda *_, **__: signal.raise_signal(signal.SIGALRM))
                with pytest.raises(TimeoutError):
                    trusted.read(token)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert dict(trusted.refused) == {}
    assert trusted.read(token)
