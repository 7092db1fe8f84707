"""Purposes that go along with requests made with httpx2: a transport for its clients.

```python
outgoing = OutgoingPurposes(guard, issuer, {"payroll.internal.example": "payroll"})
client = httpx2.Client(transport=PurposeTransport(outgoing))
```

A client with a transport of its own reads no proxies from the environment, and sends nothing
through it that its `proxy` or `mounts` take: wrap the transport that goes there.
"""

try:
    import httpx2
except ImportError:
    raise ImportError(
        "purposes for httpx2 need it, which the extra `httpx2` brings: "
        "pip install 'purposeguard[httpx2]'"
    ) from None

from purposeguard.integrations.outgoing import OutgoingPurposes
from purposeguard.integrations.transports import AsyncCarrying, Carrying

__all__ = ["AsyncPurposeTransport", "OutgoingPurposes", "PurposeTransport"]


class PurposeTransport(Carrying, httpx2.BaseTransport):
    """Sends each request through `transport`, with the purposes in force where they may go.

    `transport` is what takes TLS, proxy and HTTP/2 settings; left out, it has the usual ones.
    """

    def __init__(
        self, outgoing: OutgoingPurposes, transport: httpx2.BaseTransport | None = None
    ) -> None:
        super().__init__(outgoing, httpx2.HTTPTransport() if transport is None else transport)


class AsyncPurposeTransport(AsyncCarrying, httpx2.AsyncBaseTransport):
    """The same for `httpx2.AsyncClient`."""

    def __init__(
        self, outgoing: OutgoingPurposes, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        super().__init__(outgoing, httpx2.AsyncHTTPTransport() if transport is None else transport)
