"""Purposes that go along with requests made with httpx: a transport for its clients.

```python
outgoing = OutgoingPurposes(guard, issuer, {"payroll.internal.example": "payroll"})
client = httpx.Client(transport=PurposeTransport(outgoing))
```

A client with a transport of its own reads no proxies from the environment, and sends nothing
through it that its `proxy` or `mounts` take: wrap the transport that goes there.
"""

try:
    import httpx
except ImportError:
    raise ImportError(
        "purposes for httpx need it, which the extra `httpx` brings: "
        "pip install 'purposeguard[httpx]'"
    ) from None

from purposeguard.integrations.outgoing import OutgoingPurposes
from purposeguard.integrations.transports import AsyncCarrying, Carrying

__all__ = ["AsyncPurposeTransport", "OutgoingPurposes", "PurposeTransport"]


class PurposeTransport(Carrying, httpx.BaseTransport):
    """Sends each request through `transport`, with the purposes in force where they may go.

    `transport` is what takes TLS, proxy and HTTP/2 settings; left out, it has the usual ones.
    """

    def __init__(
        self, outgoing: OutgoingPurposes, transport: httpx.BaseTransport | None = None
    ) -> None:
        super().__init__(outgoing, httpx.HTTPTransport() if transport is None else transport)


class AsyncPurposeTransport(AsyncCarrying, httpx.AsyncBaseTransport):
    """The same for `httpx.AsyncClient`."""

    def __init__(
        self, outgoing: OutgoingPurposes, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        super().__init__(outgoing, httpx.AsyncHTTPTransport() if transport is None else transport)
