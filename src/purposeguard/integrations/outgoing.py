"""Which purposes go along with an outgoing request: what all HTTP clients have in common."""

import ipaddress
import re
from collections.abc import Mapping
from logging import WARNING
from typing import Any
from urllib.parse import urlsplit

from purposeguard.evidence.events import Events
from purposeguard.evidence.faults import Faults
from purposeguard.exceptions import UnknownNameError
from purposeguard.guard import Guard
from purposeguard.integrations.tokens import HEADER, TokenIssuer, service_name
from purposeguard.policy.names import exact

_PORTS = {"https": 443, "wss": 443, "http": 80, "ws": 80}
_SECURE = frozenset({"https", "wss"})

_NAME = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*\.?")
_SHOWN = re.compile(r"[\w.:*\[\]-]{1,255}", re.ASCII)


class OutgoingPurposes:
    """Says which requests carry the purposes in force, as a token signed by `issuer`.

    `hosts` names the services that may be told them: each host, with its port where that is not
    the usual one, and the audience that the service knows itself by. Nothing else is ever told.
    Hosts are compared whole; a name outside ASCII is written in its `xn--` form. Other machines are
    told over TLS only, unless `allow_http` is true.

    Raises UnknownNameError for what can't be a host or an audience.
    """

    def __init__(
        self,
        guard: Guard,
        issuer: TokenIssuer,
        hosts: Mapping[str, str],
        *,
        allow_http: bool = False,
    ) -> None:
        if type(allow_http) is not bool:
            raise UnknownNameError(
                "`allow_http` is neither true nor false: write `True` or `False`"
            )
        if not isinstance(hosts, Mapping):
            raise UnknownNameError("`hosts` is no mapping: give each host the name of its service")
        self._guard = guard
        self._issuer = issuer
        self._allow_http = allow_http
        self._untold = Faults()
        self._events = Events(None, self._untold)
        self._audiences: dict[tuple[str, int | None], str] = {}
        for given, audience in hosts.items():
            place = _listed(given)
            if place in self._audiences:
                raise UnknownNameError(f"`hosts` names {_shown(given)} twice: keep one of them")
            self._audiences[place] = service_name(audience, "hosts")

    @property
    def untold(self) -> Mapping[str, int]:
        """How many requests to listed hosts had no token, by reason: `port` or `plain_http`.

        The first of each reason is told by an event as well, since the other service judges such a
        request by what it declares itself. Another port of a host that is listed with one is
        another service, and is not counted.
        """
        return self._untold

    def token_for(self, scheme: str, host: str, port: int | None) -> str | None:
        """Return the token for a request to this address, or None where it must not have one.

        `host` and `port` are those that the client connects to.
        """
        usual = _PORTS.get(scheme)
        if usual is None:
            return None
        name = _canonical(host)
        port = usual if port is None else port
        anywhere = self._audiences.get((name, None))
        audience = self._audiences.get((name, port), anywhere if port == usual else None)
        if audience is None:
            if anywhere is not None:
                self._tell("port", f"port {port} is not listed: list `{name}:{port}`")
            return None
        if scheme not in _SECURE and not self._allow_http and not _is_loopback(name):
            self._tell("plain_http", "there is no TLS: use `https`, or give `allow_http=True`")
            return None
        return self._issuer.token_for(self._guard, audience)

    def _tell(self, reason: str, why: str) -> None:
        first = reason not in self._untold
        self._untold.add(reason)
        if first:
            self._events.emit(
                "purposeguard.token",
                f"a request to a listed host carries no purpose token, since {why}",
                {"purposeguard.token.untold": reason},
                WARNING,
            )

    def put_into(self, headers: Any, scheme: str, host: str, port: int | None) -> None:
        """Have a request's own headers hold this token, or none: whatever they held is removed.

        What came with them is a stranger's: a request that is passed on, or a redirect.
        """
        headers.pop(HEADER, None)
        token = self.token_for(scheme, host, port)
        if token is not None:
            headers[HEADER] = token


def _canonical(host: str) -> str:
    address = _address(host)
    return host.lower() if address is None else str(address)


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _listed(given: object) -> tuple[str, int | None]:
    text = exact(given)
    try:
        split = urlsplit(f"//{text}")
        host, port = _canonical(split.hostname or ""), split.port
    except ValueError:
        raise _no_host(given) from None
    whole = text is not None and split.netloc == text and split.username is None and port != 0
    if not whole or not (_NAME.fullmatch(host) or _address(host)):
        raise _no_host(given)
    return host, port


def _no_host(given: object) -> UnknownNameError:
    return UnknownNameError(
        f"`hosts` names {_shown(given)}, which is no host: write each host by itself, as in "
        "`payroll.internal.example` or `payroll.internal.example:8443`",
        "hosts",
    )


def _shown(given: object) -> str:
    text = exact(given)
    if text is None:
        return "what is no text"
    return f"`{text}`" if _SHOWN.fullmatch(text) else f"a name of {len(text)} characters"
