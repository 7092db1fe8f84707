"""Whatever comes in the header, it is a genuine token or it says nothing: no crash, no belief."""

import base64
import json
import random
import time
from collections import Counter

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey
from token_kit import (
    KEYS,
    PURPOSES,
    STRANGERS,
    claims,
    encoded,
    genuine,
    header,
    jwk_of,
    signed,
    trusted,
)

from effort import effort
from purposeguard.integrations.tokens import Claim

TOKENS = effort(quick=2_000, ci=100_000, full=1_000_000)
PARTS = 8
END = int(time.time()) + 3_500
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
GENUINE = {
    signed(header(algorithm), claims(exp=END, purposes=purposes), algorithm): tuple(purposes)
    for algorithm in KEYS
    for purposes in (["order.delivery", "advice"], ["advice"])
}
"""Genuine tokens, and the purposes in them."""

PIECES = (
    *("", ".", "..", "=", "==", ",", ", ", " ", "\n", "\r\n", "\0", "%00", "A", "e30", "W10"),
    *("eyJhbGciOiJub25lIn0", "null", "{}", "é", "\u0660", "\U0001f600", "Bearer ", "\ud800"),
)
VALUES = (
    *(
        None,
        True,
        0,
        -1,
        0.5,
        1e308,
        float("nan"),
        float("inf"),
        10**400,
        "",
        "x",
        "\ud800",
        [],
        {},
    ),
    *([[]], ["advice", None], {"advice": 1}, "a" * 700, ["p"] * 40, ["a" * 65], ["*"], "advice"),
)
BAD = (
    *({"aud": other} for other in ("warehouse", "", "DEPOT", "depot ", ["depot"], None, 7)),
    *({"iss": other} for other in ("evil", "desk", "", "shop ", ["shop"], None)),
    *({"exp": other} for other in (END - 9_999, END + 10**8, 10**300, "9", True, None, 0.5)),
    *({"iat": other} for other in (END + 9_999, -(10**300), "9", True, None)),
    *({"purposes": other} for other in ([], "advice", [7], ["A"], ["x" * 65], ["a", "a"], None)),
    *({"policy": other} for other in ("", 7, "0" * 63, "G" * 64)),
    *({other: 7} for other in ("sub", "nbf", "jti", "")),
)
"""Changes after which a token is not to be believed, though it is really signed."""

BAD_HEADERS = (
    *({"typ": other} for other in ("JWT", "at+jwt", "", None, 7, ["purposeguard+jwt"])),
    *({"alg": other} for other in ("none", "RS256", "EdDSA", "HS512", "", None, 7, ["Ed25519"])),
    *({"kid": other} for other in ("", "x", None, 7, "../key", "' OR 1=1 --", "k" * 900, {"a": 1})),
    *({other: True} for other in ("crit", "b64", "jwk", "jku", "x5u", "x5c", "zip", "enc", "x")),
)


def by_chance(chance):
    """Any bytes, or any text."""
    length = chance.choice([0, 1, 3, 30, 300, 4_097, 9_000])
    if chance.random() < 0.5:
        return chance.randbytes(length)
    letters = chance.choice([ALPHABET + "...", "\0\t\n .,=%é\u0660\ud800\U0001f600" + ALPHABET])
    return "".join(chance.choices(letters, k=length))


def by_letters(chance):
    """A genuine token, a few letters of which are changed, lost, doubled or put in."""
    text = chance.choice(list(GENUINE))
    for _ in range(chance.randint(1, 3)):
        start = chance.randrange(len(text))
        end = start + chance.choice([0, 1, 1, 1, 4, 60])
        new = chance.choice([chance.choice(ALPHABET), chance.choice(PIECES), text[start:end] * 2])
        text = text[:start] + new + text[end:]
    return text


def by_bits(chance):
    """A genuine token as bytes, a few bits of which are changed."""
    content = bytearray(chance.choice(list(GENUINE)).encode())
    for _ in range(chance.choice([1, 1, 2, 8])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    return bytes(content)


def by_parts(chance):
    """Parts of several tokens, exchanged, doubled, lost, or joined to a list."""
    parts = [chance.choice(chance.choice(list(GENUINE)).split(".")) for _ in range(3)]
    if chance.random() < 0.5:
        one, other = (chance.choice(list(GENUINE)).split(".") for _ in range(2))
        parts = [chance.choice(pair) for pair in zip(one, other, strict=True)]
    if chance.random() < 0.3:
        parts.insert(chance.randrange(3), chance.choice([*parts, *PIECES]))
    return chance.choice([".", ".", ".", "..", ",", ""]).join(parts)


def by_members(chance):
    """Header or claims changed, under the signature of the token as it was, or without one."""
    token = chance.choice(list(GENUINE))
    parts = token.split(".")
    place = chance.randrange(2)
    found = json.loads(base64.urlsafe_b64decode(parts[place] + "==="))
    name = chance.choice([*found, "crit", "b64", "jwk", "nbf"])
    found[name] = chance.choice([*VALUES, *ALPHABET])
    parts[place] = encoded(json.dumps(found).encode("utf-8", "surrogatepass"))
    if chance.random() < 0.2:
        parts[2] = chance.choice(["", encoded(chance.randbytes(64)), encoded(b"\0" * 64)])
    return ".".join(parts)


def by_strangers(chance):
    """All in order, but for the key that it is signed with, or for the algorithm."""
    kept, used = chance.choice(list(KEYS)), chance.choice(list(KEYS))
    head = chance.choice([header(kept), header(kept, alg=used), header(used, STRANGERS[used])])
    return signed(head, claims(exp=END), used, STRANGERS[used])


def by_issuers(chance):
    """Really signed, but not for this, or not so that it can be believed."""
    algorithm = chance.choice(list(KEYS))
    head, body = header(algorithm), claims(exp=END)
    if chance.random() < 0.5:
        head |= chance.choice(BAD_HEADERS)
    else:
        body |= chance.choice(BAD)
    body = {name: each for name, each in body.items() if each is not None}
    head = {name: each for name, each in head.items() if each is not None}
    return signed(head, body, algorithm)


def by_texts(chance):
    """Really signed, but what is signed is written in a way that readers differ in."""
    algorithm = chance.choice(list(KEYS))
    head, body = (json.dumps(each).encode() for each in (header(algorithm), claims(exp=END)))
    match chance.randrange(6):
        case 0:
            body = body[:-1] + b',"aud":"depot"}'
        case 1:
            head = head[:-1] + b',"kid":"x"}'
        case 2:
            body = body.replace(b"depot", b"dep\xff")
        case 3:
            body = body.decode().encode(chance.choice(["utf-16", "utf-32", "utf-16-le"]))
        case 4:
            body = b"[" * chance.choice([3, 900, 2_900]) + body
        case 5:
            body = body.replace(b'"exp": ', b'"exp": ' + b"9" * chance.choice([30, 2_500]))
    return signed(head, body, algorithm)


MUTATORS = (
    *(by_chance, by_letters, by_bits, by_parts, by_members, by_members),
    *(by_letters, by_strangers, by_issuers, by_texts),
)


def naive_read(token):
    """Read a token as it is often done: a known key has signed it, and it has not expired."""
    keys = KeySet([OKPKey.import_key(jwk_of(KEYS["Ed25519"]))])
    found = jwt.decode(token, keys, algorithms=["Ed25519"])
    return found.claims["purposes"] if found.claims["exp"] > time.time() else None


@pytest.mark.timeout(0)
@pytest.mark.parametrize("part", range(PARTS))
def test_only_a_genuine_token_is_believed(part):
    """Nothing raises, and purposes are taken from nothing but the genuine tokens themselves."""
    reader = trusted()
    seen = Counter()
    for number in range(part, TOKENS, PARTS):
        make = MUTATORS[number // PARTS % len(MUTATORS)]
        token = make(random.Random(number))
        try:
            claim = reader.read(token)
            if claim is not None:
                text = token if isinstance(token, str) else token.decode()
                assert claim == Claim(GENUINE[text], "shop")
        except Exception as error:
            raise AssertionError(f"token {number} {make.__name__}: {token!r}") from error
        seen[claim is None] += 1
    assert seen[True] > 0.9 * (TOKENS // PARTS)
    assert "check_failed" not in reader.refused
    assert len(reader.refused) >= 8


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_genuine_token_with_any_one_letter_changed_is_refused(algorithm):
    """Each bit, each letter lost or put in, each cut: there is one way to write a token."""
    reader, token = trusted(), genuine(algorithm)
    assert reader.read(token) == Claim(tuple(PURPOSES), "shop")
    content = token.encode()
    for place in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            assert reader.read(bytes(changed)) is None, (place, bit)
        for new in (b"", b"A", b".", content[place : place + 1] * 2):
            changed = content[:place] + new + content[place + 1 :]
            assert changed == content or reader.read(changed) is None, (place, new)
        assert reader.read(content[:place]) is None
        assert place == 0 or reader.read(content[place:]) is None


def test_the_mutations_get_through_a_naive_reader():
    """They bite: a reader that only asks who signed believes some, and crashes on others."""
    seen = Counter()
    for number in range(3_000):
        token = MUTATORS[number % len(MUTATORS)](random.Random(number))
        try:
            believed = naive_read(token)
        except Exception as error:  # noqa: BLE001 - which ones, is the question
            seen[type(error)] += 1
        else:
            seen["believed"] += believed is not None and token not in GENUINE
    assert seen["believed"] > 10
    assert len(seen) > 5
