"""Whatever headers a request comes with: no exception reaches the app, no purpose is taken from it.

`PURPOSEGUARD_EFFORT=full` sends 1,000,000 sets, half of them to each framework's adapter.
"""

import asyncio
import io
import random
from collections import Counter

import pytest
from flask import Flask
from joserfc.jwk import OKPKey
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware

from effort import effort
from integrations.web_kit import Data
from purposeguard.integrations.asgi import ASGIPurpose
from purposeguard.integrations.flask import FlaskPurposes
from purposeguard.integrations.tokens import HEADER, TokenIssuer, TrustedIssuers

SETS = effort(2_000, 100_000, 1_000_000)
PARTS = 4
OWN = "support"
KEY, STRANGE = (OKPKey.generate_key("Ed25519") for _ in range(2))
FORGED = {**STRANGE.as_dict(private=True), "kid": KEY.thumbprint()}
DATA = Data()
TRUSTED = TrustedIssuers("here", {"desk": KEY.as_dict(private=False)})

with DATA.guard.purpose("support.inquiry"):
    GENUINE = TokenIssuer("desk", KEY.as_dict(private=True), seconds=3600).token_for(
        DATA.guard, "here"
    )
    NOT_TO_BE_BELIEVED = [
        TokenIssuer(name, key, seconds=seconds).token_for(DATA.guard, to)
        for name, key, seconds, to in (
            ("desk", FORGED, 60, "here"),
            ("desk", STRANGE.as_dict(private=True), 60, "here"),
            ("other", STRANGE.as_dict(private=True), 60, "here"),
            ("desk", KEY.as_dict(private=True), 60, "elsewhere"),
            ("desk", KEY.as_dict(private=True), 1_000_000, "here"),
        )
    ]

NAMES = (
    *(HEADER, HEADER, HEADER.lower(), HEADER.upper(), f"{HEADER}s", f"x-{HEADER}"),
    *("baggage", "traceparent", "tracestate", "x-purpose", "purpose", "purposeguard.purpose"),
    *("cookie", "authorization", "forwarded", "content-type", "x-\u00e9"),
)
VALUES = (
    *(GENUINE, GENUINE, *NOT_TO_BE_BELIEVED, "support.inquiry", "ads", "hiring", "", " ", ","),
    *("purposeguard.purpose=ads", "purpose=ads,purpose=hiring", "%70urpose=ads", "ads;ttl=5"),
    *(" " * 8190, "a=b," * 200, "\u00e9=\u00fc", "null", '{"purposes":["ads"]}', "ads\t"),
    *("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-" + "0" * 32 + "-0-ff"),
    *(f" {GENUINE}", f"{GENUINE},", f"{GENUINE},{GENUINE}", f"Bearer {GENUINE}", GENUINE.upper()),
    *(GENUINE[:-1], GENUINE[1:], GENUINE.replace(".", ""), GENUINE + "=", f'"{GENUINE}"'),
)
LETTERS = [chr(number) for number in range(32, 256) if chr(number) != "\\"]
"""The instrumentation itself fails on a backslash among bytes that are no UTF-8."""


def header_set(chance):
    """Return a few headers, in any order, of any content that a server lets through."""
    made = []
    for _ in range(chance.choice([0, 1, 1, 2, 3, 8])):
        value = chance.choice(VALUES)
        if chance.random() < 0.4:
            value = "".join(chance.choices(LETTERS, k=chance.choice([0, 3, 60])))
        elif chance.random() < 0.2 and value:
            place = chance.randrange(len(value))
            value = value[:place] + chance.choice(LETTERS) + value[place + 1 :]
        made.append((chance.choice(NAMES), value))
    if chance.random() < 0.1:
        made.insert(chance.randint(0, len(made)), (HEADER, GENUINE))
    return made


def told(headers):
    """Return the purposes that a request with these headers is for."""
    found = [value for name, value in headers if name.lower() == HEADER.lower()]
    return ("support", "support.inquiry") if found == [GENUINE] else (OWN,)


async def through_asgi(numbers, instrumented):
    """Send the sets to an ASGI app, and return how often each answer came."""
    seen = []

    async def app(scope, receive, send):
        seen.append(DATA.guard.purposes_in_force())

    async def nothing(*_):
        return {"type": "http.request"}

    guarded = ASGIPurpose(app, DATA.guard, OWN, trusted=TRUSTED)
    if instrumented:
        guarded = OpenTelemetryMiddleware(guarded)
    counted = Counter()
    for number in numbers:
        headers = header_set(random.Random(number))
        raw = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        scope = {"type": "http", "method": "GET", "path": "/", "scheme": "http", "headers": raw}
        await guarded(scope, nothing, nothing)
        assert set(seen[-1]) == set(told(headers)), (number, headers)
        counted[seen[-1]] += 1
    assert len(seen) == len(numbers)
    return counted


def through_flask(numbers):
    """Send the sets to a Flask app, as a WSGI server does: headers of one name are joined."""
    app = Flask("fuzzed")
    purposes = FlaskPurposes(DATA.guard, app, trusted=TRUSTED)

    @app.get("/")
    @purposes(OWN)
    def view():
        return " ".join(DATA.guard.purposes_in_force())

    counted: Counter = Counter()
    for number in numbers:
        headers = header_set(random.Random(number))
        environ = {
            "REQUEST_METHOD": "GET",
            "PATH_INFO": "/",
            "SERVER_NAME": "here",
            "SERVER_PORT": "80",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(),
        }
        for name, value in headers:
            key = f"HTTP_{name.upper().replace('-', '_')}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        body = app.wsgi_app(environ, lambda status, _: counted.update([status]))
        found = tuple(b"".join(body).decode().split())
        assert set(found) == set(told(headers)), (number, headers)
        counted[found] += 1
    assert counted["200 OK"] == len(numbers)
    return counted


@pytest.mark.timeout(0)
@pytest.mark.parametrize("adapter", ["asgi", "asgi, instrumented", "flask"])
@pytest.mark.parametrize("part", range(PARTS))
def test_no_purpose_is_taken_from_a_header_that_nobody_trusts(part, adapter, caplog):
    """And a genuine token among the others does narrow, or the test would show nothing."""
    caplog.set_level("CRITICAL")
    share = {"asgi": 0.45, "asgi, instrumented": 0.05, "flask": 0.5}[adapter]
    numbers = range(part, int(SETS * share), PARTS)
    if adapter == "flask":
        counted = through_flask(numbers)
    else:
        counted = asyncio.run(through_asgi(numbers, instrumented="," in adapter))
    narrowed = sum(counted[each] for each in counted if len(each) == 2)
    assert narrowed + counted[(OWN,)] == len(numbers)
    assert narrowed >= 0.02 * len(numbers)
