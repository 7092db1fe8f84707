"""Purposes that go along with requests made with requests: an adapter for its sessions.

```python
outgoing = OutgoingPurposes(guard, issuer, {"payroll.internal.example": "payroll"})
session = requests.Session()
carry_purposes(session, outgoing)
```
"""

from typing import Any
from urllib.parse import urlsplit

try:
    import requests
except ImportError:
    raise ImportError(
        "purposes for requests need it, which the extra `requests` brings: "
        "pip install 'purposeguard[requests]'"
    ) from None

from requests.adapters import BaseAdapter, HTTPAdapter

from purposeguard.integrations.outgoing import OutgoingPurposes

__all__ = ["OutgoingPurposes", "PurposeAdapter", "carry_purposes"]


class PurposeAdapter(BaseAdapter):
    """Sends each request through `adapter`, with the purposes in force where they may go.

    A session asks it for each request, redirects included. `adapter` is what takes retries and
    pools; left out, it has the usual ones.
    """

    def __init__(self, outgoing: OutgoingPurposes, adapter: BaseAdapter | None = None) -> None:
        super().__init__()
        self._outgoing = outgoing
        self._adapter = HTTPAdapter() if adapter is None else adapter

    def send(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> requests.Response:
        """Send a request, with the purposes in force where its host may be told them."""
        # A copy: a redirect is made from the session's own request, which never holds a token.
        sent = request.copy()
        self._outgoing.put_into(sent.headers, *_address(sent.url or ""))
        try:
            response = self._adapter.send(sent, *args, **kwargs)
        except requests.RequestException as error:
            error.request = request
            raise
        response.request = request
        # What answers a challenge sends through it.
        response.connection = self  # type: ignore[assignment]
        return response

    def close(self) -> None:
        """Close the adapter."""
        self._adapter.close()


def carry_purposes(session: requests.Session, outgoing: OutgoingPurposes) -> None:
    """Have all that a session sends carry the purposes in force, where they may go.

    Wraps the adapters that it has, but for those that carry purposes already. One that is mounted
    later has to be a PurposeAdapter.
    """
    for prefix, adapter in list(session.adapters.items()):
        if not isinstance(adapter, PurposeAdapter):
            session.mount(prefix, PurposeAdapter(outgoing, adapter))


def _address(url: str) -> tuple[str, str, int | None]:
    """Return the scheme, host and port that requests connects to: it reads them like this too."""
    try:
        split = urlsplit(url)
        return split.scheme, split.hostname or "", split.port
    except ValueError:
        return "", "", None
