"""What the transports for httpx and httpx2, its fork, have in common: neither is needed here."""

from types import TracebackType
from typing import Any, Self

from purposeguard.integrations.outgoing import OutgoingPurposes


def addressed(outgoing: OutgoingPurposes, request: Any) -> Any:
    """Return the request as it goes over the wire.

    It is a copy: a redirect is made from the client's own request, which never holds a token.
    """
    sent = type(request)(
        request.method,
        request.url,
        headers=request.headers,
        stream=request.stream,
        extensions=request.extensions,
    )
    url = request.url
    outgoing.put_into(sent.headers, url.scheme, url.raw_host.decode("ascii"), url.port)
    return sent


class Carrying:
    """Wraps a transport. A client asks it for each request, redirects and retries included."""

    def __init__(self, outgoing: OutgoingPurposes, transport: Any) -> None:
        self._outgoing = outgoing
        self._transport = transport

    def handle_request(self, request: Any) -> Any:
        """Send a request, with the purposes in force where its host may be told them."""
        return self._transport.handle_request(addressed(self._outgoing, request))

    def close(self) -> None:
        """Close the transport."""
        self._transport.close()

    def __enter__(self) -> Self:
        self._transport.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self._transport.__exit__(kind, error, traceback)


class AsyncCarrying:
    """The same for asynchronous clients."""

    def __init__(self, outgoing: OutgoingPurposes, transport: Any) -> None:
        self._outgoing = outgoing
        self._transport = transport

    async def handle_async_request(self, request: Any) -> Any:
        """Send a request, with the purposes in force where its host may be told them."""
        return await self._transport.handle_async_request(addressed(self._outgoing, request))

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self._transport.__aexit__(kind, error, traceback)
