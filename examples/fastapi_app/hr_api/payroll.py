"""The way to the payroll service: requests to it carry the purposes in force here, signed."""

from typing import Annotated, Any
from urllib.parse import urlsplit

import httpx
from fastapi import Depends, HTTPException
from opentelemetry.propagate import inject
from purposeguard.integrations.httpx import AsyncPurposeTransport, OutgoingPurposes
from purposeguard.integrations.tokens import TokenIssuer
from starlette.requests import HTTPConnection

from hr_api.guard import guard


def client(url: str, key: Any) -> httpx.AsyncClient:
    """Return a client for the payroll service at `url`, which trusts what `key` has signed."""
    issuer = TokenIssuer("hr-api", key)
    outgoing = OutgoingPurposes(guard, issuer, {urlsplit(url).netloc: "payroll"})
    return httpx.AsyncClient(
        base_url=url,
        transport=AsyncPurposeTransport(outgoing),
        event_hooks={"request": [_traced]},
    )


async def _traced(request: httpx.Request) -> None:
    inject(request.headers)


def of_app(connection: HTTPConnection) -> httpx.AsyncClient:
    """Return the client of the app that serves a request."""
    found: httpx.AsyncClient | None = connection.app.state.payroll
    if found is None:
        raise HTTPException(503, "there is no payroll service")
    return found


Payroll = Annotated[httpx.AsyncClient, Depends(of_app)]
