"""What a client is told where the store of subjects refuses: a problem document (RFC 9457).

Denied accesses are answered by the guard's adapter.
"""

from flask import Response, jsonify
from purposeguard import SubjectStoreError


def not_now(error: SubjectStoreError) -> Response:
    """Answer 409: a request that isn't verified yet, for one, can't be accepted."""
    response = jsonify(
        type="tag:hr.example,2026:not-now",
        title="That can't be done now",
        status=409,
        detail=str(error),
    )
    response.status_code = 409
    response.mimetype = "application/problem+json"
    return response
