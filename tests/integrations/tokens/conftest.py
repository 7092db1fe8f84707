"""Fixtures: servers that play any host, and each of the clients in turn."""

import pytest
from wire_kit import CLIENTS, certificate, serving


@pytest.fixture(scope="session")
def tls(tmp_path_factory):
    """A key and a certificate."""
    return certificate(tmp_path_factory.mktemp("tls") / "tests.pem")


@pytest.fixture(scope="session")
def servers(tls):
    """Two of the servers, on ports of their own."""
    with serving(tls) as one, serving(tls) as other:
        yield one, other


@pytest.fixture
def wire(servers):
    """The first of them, nothing seen yet."""
    for each in servers:
        each.seen = []
    return servers[0]


@pytest.fixture
def other(servers, wire):
    """The second."""
    return servers[1]


@pytest.fixture(params=CLIENTS)
def kind(request):
    """A kind of client."""
    return CLIENTS[request.param]
