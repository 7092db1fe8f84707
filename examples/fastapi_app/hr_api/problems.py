"""What a client is told when something can't be done: a problem document (RFC 9457).

Denied accesses are answered by purposeguard's adapter.
"""

import httpx
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from purposeguard import SubjectStoreError

MEDIA_TYPE = "application/problem+json"


def install(app: FastAPI) -> None:
    """Have an app answer with these."""
    app.add_exception_handler(SubjectStoreError, _not_now)
    app.add_exception_handler(httpx.HTTPStatusError, _refused_elsewhere)


async def _not_now(_: Request, error: SubjectStoreError) -> Response:
    """Answer 409: a request that isn't verified yet, for one, can't be accepted."""
    document = {
        "type": "tag:hr.example,2026:not-now",
        "title": "That can't be done now",
        "status": 409,
        "detail": str(error),
    }
    return JSONResponse(document, 409, media_type=MEDIA_TYPE)


async def _refused_elsewhere(_: Request, error: httpx.HTTPStatusError) -> Response:
    """Pass on what another service said about the policy; anything else is its own trouble."""
    answer = error.response
    if answer.headers.get("content-type") == MEDIA_TYPE:
        return Response(answer.content, answer.status_code, media_type=MEDIA_TYPE)
    return Response(status_code=502)
