"""Hosts that may be told purposes, where redirects lead, and who was told there."""

from token_kit import issuer, trusted

from purposeguard.integrations.outgoing import OutgoingPurposes

HOSTS = {
    "payroll.internal.example": "payroll",
    "depot.internal.example": "depot",
    "depot.internal.example:8443": "depot-admin",
    "xn--bcher-kva.example": "books",
    "[2001:db8::1]:9443": "six",
    "192.0.2.7": "four",
}
READERS = {name: trusted(name) for name in HOSTS.values()}


def outgoing_of(guard, hosts=HOSTS, **given):
    """Return who is told, of the tests' hosts."""
    return OutgoingPurposes(guard, issuer(), hosts, **given)


def told(hop):
    """Return the audience and the purposes that a request has brought, or None."""
    if not hop.tokens:
        return None
    [token] = hop.tokens
    [found] = [(name, claim) for name, each in READERS.items() if (claim := each.read(token))]
    return found[0], found[1].purposes


def places(hops):
    """Return where requests came, by which scheme, and who was told there."""
    return [(f"{hop.scheme}://{hop.place}", (told(hop) or [None])[0]) for hop in hops]


STRANGER = {"Purposeguard-Purpose": "e30.e30.e30", "X-Kept": "yes"}
TWICE = [("purposeguard-purpose", "e30.e30.e30"), ("PURPOSEGUARD-PURPOSE", "e31.e31.e31")]


LED = {
    "listed to unlisted": (
        "https://depot.internal.example/to?https://evil.example/",
        [("https://depot.internal.example:443", "depot"), ("https://evil.example:443", None)],
    ),
    "unlisted to listed": (
        "https://evil.example/to?https://depot.internal.example/",
        [("https://evil.example:443", None), ("https://depot.internal.example:443", "depot")],
    ),
    "listed to another": (
        "https://depot.internal.example/to?https://payroll.internal.example/",
        [
            ("https://depot.internal.example:443", "depot"),
            ("https://payroll.internal.example:443", "payroll"),
        ],
    ),
    "to another port of the host": (
        "https://depot.internal.example/to?https://depot.internal.example:9443/",
        [
            ("https://depot.internal.example:443", "depot"),
            ("https://depot.internal.example:9443", None),
        ],
    ),
    "to a listed port of the host": (
        "https://depot.internal.example/to?https://depot.internal.example:8443/",
        [
            ("https://depot.internal.example:443", "depot"),
            ("https://depot.internal.example:8443", "depot-admin"),
        ],
    ),
    "to a host below": (
        "https://depot.internal.example/to?https://x.depot.internal.example/",
        [
            ("https://depot.internal.example:443", "depot"),
            ("https://x.depot.internal.example:443", None),
        ],
    ),
    "to a host that ends alike": (
        "https://depot.internal.example/to?https://evildepot.internal.example/",
        [
            ("https://depot.internal.example:443", "depot"),
            ("https://evildepot.internal.example:443", None),
        ],
    ),
    "to a host that begins alike": (
        "https://depot.internal.example/to?https://depot.internal.example.evil.example/",
        [
            ("https://depot.internal.example:443", "depot"),
            ("https://depot.internal.example.evil.example:443", None),
        ],
    ),
    "to the parent": (
        "https://depot.internal.example/to?https://internal.example/",
        [("https://depot.internal.example:443", "depot"), ("https://internal.example:443", None)],
    ),
    "there and back": (
        "https://depot.internal.example/to?https://evil.example/to%3Fhttps://depot.internal.example/",
        [
            ("https://depot.internal.example:443", "depot"),
            ("https://evil.example:443", None),
            ("https://depot.internal.example:443", "depot"),
        ],
    ),
    "on the same host": (
        "https://depot.internal.example/to?/b",
        [("https://depot.internal.example:443", "depot")] * 2,
    ),
}
