"""A real server that plays every host, and the clients that call it: what goes over the wire."""

import asyncio
import datetime as dt
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import httpx
import httpx2
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from purposeguard.integrations import httpx as for_httpx
from purposeguard.integrations import httpx2 as for_httpx2
from purposeguard.integrations.requests import carry_purposes
from purposeguard.integrations.tokens import HEADER


class Hop(NamedTuple):
    """One request as it came: by which scheme and to which host, and the tokens with it."""

    scheme: str
    place: str
    path: str
    tokens: list


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # tickets of TLS would hold each answer up
    scheme, place = "http", None

    def do_CONNECT(self):
        self.note("connect", self.path, "")
        self.send_response_only(200)
        self.end_headers()
        self.scheme, self.place = "https", self.path
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        self.setup()
        self.close_connection = False

    def do_GET(self):
        url = urlsplit(self.path)
        place = self.place or url.netloc or "{}:{}".format(*self.server.server_address)
        self.note(self.scheme, place, url.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if url.path == "/to":
            self.send_response(int(self.headers.get("X-Status", 307)))
            self.send_header("Location", unquote(url.query))
        elif url.path == "/asked" and "Authorization" not in self.headers:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Digest realm="tests", nonce="n", qop="auth"')
        else:
            self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_POST = do_GET  # noqa: N815 - the server looks for this name

    def note(self, scheme, place, path):
        """Keep what came."""
        self.server.seen.append(Hop(scheme, place, path, self.headers.get_all(HEADER) or []))

    def finish(self):
        try:
            super().finish()
        finally:
            self.request.close()

    def log_message(self, *_):
        pass


class Wire(ThreadingHTTPServer):
    """A server on loopback: reached as itself, as a proxy, and as any host behind TLS."""

    daemon_threads = True

    def __init__(self, tls):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.tls = tls
        self.seen = []
        self.port = self.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def handle_error(self, request, client_address):
        """A client may hang up whenever it wants."""

    def hops(self):
        """Return what came since the last look, without what only opens a tunnel."""
        seen, self.seen = self.seen, []
        assert not [hop for hop in seen if hop.scheme == "connect" and hop.tokens]
        return [hop for hop in seen if hop.scheme != "connect"]


def certificate(path):
    """Write a key and a certificate that it has signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "tests.example")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    path.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return path


@contextmanager
def serving(path):
    """Run one of those servers."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(path)
    with Wire(tls) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def _any_certificate():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Httpx:
    """httpx, or its fork: clients that send through the purpose transport, or through none."""

    def __init__(self, theirs, ours):
        self.theirs, self.ours = theirs, ours
        self.error = theirs.ConnectError

    def transport(self, proxy=None):
        """Return what sends in the end."""
        return self.theirs.HTTPTransport(proxy=proxy, verify=_any_certificate())

    @contextmanager
    def client(self, outgoing=None, proxy=None, **given):
        """Open a client; without `outgoing`, one that knows nothing of purposes."""
        transport = self.transport(proxy)
        if outgoing is not None:
            transport = self.ours.PurposeTransport(outgoing, transport)
        with self.theirs.Client(transport=transport, **given) as client:
            yield client

    def send(self, client, url, method="GET", **given):
        """Send a request, and follow where it leads."""
        return client.request(method, url, follow_redirects=True, **given)


class AsyncHttpx(Httpx):
    """The same with asynchronous clients."""

    def transport(self, proxy=None):
        """Return what sends in the end."""
        return self.theirs.AsyncHTTPTransport(proxy=proxy, verify=_any_certificate())

    @contextmanager
    def client(self, outgoing=None, proxy=None, **given):
        """Prepare a client: each request has a loop, and so a client, of its own."""

        def opened():
            transport = self.transport(proxy)
            if outgoing is not None:
                transport = self.ours.AsyncPurposeTransport(outgoing, transport)
            return self.theirs.AsyncClient(transport=transport, **given)

        yield opened

    def send(self, client, url, method="GET", **given):
        """Send a request, and follow where it leads."""

        async def main():
            async with client() as opened:
                return await opened.request(method, url, follow_redirects=True, **given)

        return asyncio.run(main())


class Requests:
    """requests."""

    error = requests.ConnectionError

    @contextmanager
    def client(self, outgoing=None, proxy=None, headers=None):
        """Open a session; without `outgoing`, one that knows nothing of purposes."""
        with requests.Session() as session:
            session.trust_env = False
            session.verify = False
            session.headers.update(headers or {})
            session.proxies = {"http": proxy, "https": proxy} if proxy else {}
            if outgoing is not None:
                carry_purposes(session, outgoing)
            yield session

    def send(self, session, url, method="GET", **given):
        """Send a request, and follow where it leads."""
        return session.request(method, url, **given)


CLIENTS = {
    "httpx": Httpx(httpx, for_httpx),
    "httpx-async": AsyncHttpx(httpx, for_httpx),
    "httpx2": Httpx(httpx2, for_httpx2),
    "httpx2-async": AsyncHttpx(httpx2, for_httpx2),
    "requests": Requests(),
}
